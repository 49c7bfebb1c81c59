"""TaggingTask: the LightningModule around any AudioTagger.

Shapes: B drawn clips, E training examples (B / 2 with mixup), L samples, K classes.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.nn import functional

from panns.data.batches import Batch
from panns.data.draws import key
from panns.models import AudioTagger, TaggingOutput
from panns.models.compiling import compile_body
from panns.models.layers import no_autocast
from panns.training.augment import Augmentation
from panns.training.finite import FiniteGuard, NonFiniteLossError, Verdict, fuse
from panns.training.freezing import freeze_embedding, train_behind_embedding
from panns.training.metrics import TaggingMetrics
from panns.training.parallel import FullyShardedStrategy, shard, synchronise_batch_norms
from panns.training.resampling import resampler
from panns.training.resuming import take_settings
from panns.training.schedules import set_learning_rate

FULL_SCALE = 32768.0  # of int16; the released code reads its int16 back with 32767, a difference of 3e-4 dB


class TaggingTask(pl.LightningModule):
    """Trains and scores a tagger on weak labels.

    Args:
        model: The network.
        optimizer: Builds the optimizer from parameters.
        scheduler: Builds the learning-rate schedule from the optimizer and total_steps, stepped after every optimizer
            step.
        augmentation: What happens to training clips on the device.
        classes: Display names, in output order.
        class_counts: (K,) training clips per class, for the scores of frequent, medium and rare classes.
        single_label: Every clip has exactly one label; accuracy is scored too.
        loss: "bce" (binary cross-entropy over all classes, the paper's) or "cross_entropy" (one class per clip); None
            takes cross_entropy for single labels, else bce.
        prior_bias: Starts the classifier's bias at the log-odds of each class among the training labels: the first
            steps are then not spent on learning that most classes are absent. The paper starts from 0.
        sample_rate: Of the clips that come in, Hz; they are resampled on the device if the model takes another rate.
        sync_batch_norm: Batch norms take their statistics over the batch of all devices, as on one device.
        lr_batch_size: The batch that the optimizer's learning rate is meant for: it is multiplied by the batch of all
            devices over this one (linear scaling, Goyal et al. 2017). None: the learning rate is taken as it is.
        resample: "sinc" band-limits first. "decimate" keeps every n-th sample, aliases and all, as the released 16 and
            8 kHz systems did.
        compile: torch.compile of the network's body; see `panns.models.compiling`.
        freeze: "embedding" keeps the network up to its embedding as it is, weights, batch norms and all, and trains
            only what comes behind it: the paper's Freeze_L1, and with `head.classifier_layers=3` its Freeze_L3.
        seed: Of dropout and augmentation.
        hyper_parameters: The run's plain configuration, kept in every checkpoint.
    """

    def __init__(
        self,
        model: AudioTagger,
        optimizer: Callable[..., torch.optim.Optimizer],
        scheduler: Callable[..., torch.optim.lr_scheduler.LRScheduler],
        augmentation: Augmentation,
        classes: Sequence[str],
        class_counts: NDArray[np.int64] | Tensor | None = None,
        single_label: bool = False,
        loss: Literal["bce", "cross_entropy"] | None = None,
        prior_bias: bool = False,
        sample_rate: int | None = None,
        sync_batch_norm: bool = True,
        lr_batch_size: int | None = None,
        resample: Literal["sinc", "decimate"] = "sinc",
        compile: bool = False,
        freeze: Literal["embedding"] | None = None,
        seed: int = 0,
        hyper_parameters: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        loss = loss or ("cross_entropy" if single_label else "bce")
        if loss not in ("bce", "cross_entropy"):
            raise ValueError(f"task.loss={loss!r}: choose 'bce' or 'cross_entropy'.")
        if lr_batch_size is not None and lr_batch_size < 1:
            raise ValueError(
                f"task.lr_batch_size={lr_batch_size}: a batch has at least one clip; null leaves optimizer.lr."
            )
        model.classes, model.exclusive = list(classes), loss == "cross_entropy"
        self.model, self.augmentation, self.classes, self.seed = model, augmentation, list(classes), seed
        self.make_optimizer, self.make_scheduler = optimizer, scheduler
        self.sync_batch_norm, self.lr_batch_size = sync_batch_norm, lr_batch_size
        self.resample = resampler(sample_rate or model.sample_rate, model.sample_rate, resample)
        class_counts = None if class_counts is None else torch.as_tensor(class_counts)
        self.metrics = TaggingMetrics(len(self.classes), class_counts=class_counts, single_label=single_label)
        if prior_bias:
            start_at_prior(model, class_counts)
        self.freeze = freeze
        if freeze is not None:
            freeze_embedding(model, freeze)
            self.train()  # Lightning takes the modes that it finds
        self.compiled = compile
        if compile:
            compile_body(model)
        self.scores: dict[str, Any] = {}
        self._guard = FiniteGuard()
        if hyper_parameters is not None:
            self.save_hyperparameters({**hyper_parameters, "classes": self.classes, "exclusive": model.exclusive})

    def forward(self, waveform: Tensor) -> TaggingOutput:
        """(B, L) float at the model's rate -> TaggingOutput."""
        return self.model(waveform)

    def train(self, mode: bool = True) -> "TaggingTask":
        """As always, but for what is frozen, which stays as in evaluation."""
        super().train(mode)
        if self.freeze:
            train_behind_embedding(self.model, mode)
        return self

    def configure_model(self) -> None:
        """Readies the network for several devices; called by the trainer before weights are restored.

        Raises:
            ValueError: it is compiled, and the devices would have to talk in the middle of its graphs.
        """
        strategy, several = self.trainer.strategy, self.trainer.world_size > 1
        if self.compiled and several and (self.sync_batch_norm or isinstance(strategy, FullyShardedStrategy)):
            raise ValueError(
                "task.compile=true works on several devices with trainer=ddp task.sync_batch_norm=false alone: whole "
                "graphs hold no exchange between devices. Set that, or task.compile=false."
            )
        if self.sync_batch_norm and several:
            synchronise_batch_norms(self.model, strategy.root_device.type)
        if isinstance(strategy, FullyShardedStrategy):
            shard(self.model, strategy.device_mesh["data_parallel"])

    def on_train_start(self) -> None:
        """Has the first step made at the learning rate of this run, and the loss logged between two validations."""
        trainer = self.trainer
        for config in trainer.lr_scheduler_configs:
            set_learning_rate(config.scheduler)
        trainer.log_every_n_steps = min(trainer.log_every_n_steps, int(trainer.num_training_batches))

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Keys dropout by the batch's first draw: no random state has to outlive a killed run."""
        torch.manual_seed(key(self.seed, "dropout", int(batch.draw[0])))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """-> loss, a scalar."""
        augment = self.augmentation.for_batch(batch.draw, self.device)
        logits = self.model(self._signal(batch), augment).clip_logits
        loss = self.loss(logits, augment.targets(batch.target))
        self._guard.add(loss, batch.row)
        self.log("train/loss", loss, prog_bar=True, batch_size=len(logits), sync_dist=True)
        return loss

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """(E, K) logits and targets -> mean loss, computed in float32."""
        logits = logits.float()
        if self.model.exclusive:
            return functional.cross_entropy(logits, targets)
        return functional.binary_cross_entropy_with_logits(logits, targets)

    def probabilities(self, logits: Tensor) -> Tensor:
        """(B, K) logits -> probabilities."""
        return logits.float().softmax(-1) if self.model.exclusive else logits.float().sigmoid()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Logs gradient norm and learning rate; stops on a non-finite loss or gradient, while the weights are good."""
        norm = torch.nn.utils.get_total_norm([p.grad for p in self.parameters() if p.grad is not None])
        norm = norm.full_tensor() if isinstance(norm, DTensor) else norm  # of sharded gradients
        scaled = getattr(self.trainer.precision_plugin, "scaler", None) is not None  # fp16: skips such steps itself
        self._stop(self._guard.before_step(optimizer, None if scaled else norm, self.trainer.global_step))
        if (self.trainer.global_step + 1) % self.trainer.log_every_n_steps == 0:  # the step that is being made
            self.log("train/grad_norm", norm)
            self.log("train/lr", optimizer.param_groups[0]["lr"])

    def on_validation_start(self) -> None:
        """No validation of a network that a bad batch has gone through."""
        self._stop(self._guard.settle())

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """No checkpoint of it either."""
        self._stop(self._guard.settle())

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Has the optimizer go on with the numbers of this run where they have changed."""
        take_settings(checkpoint, self.hparams)

    def on_train_end(self) -> None:
        """The last step counts too."""
        self._stop(self._guard.settle())

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Says at which step the numbers of this batch are logged."""
        if self.trainer.global_step % self.trainer.log_every_n_steps == 0 or self.trainer.should_stop:
            self._log_step()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collects scores; the clips are counted once whatever the number of devices."""
        logits = self._scored(batch)
        self.log("val/loss", self.loss(logits, batch.target), batch_size=len(logits), sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Logs val/mAP, val/mAUC, val/d_prime and their kin; keeps the per-class scores in `self.scores`."""
        self.scores = self.metrics.compute()
        self.metrics.reset()
        for name, value in self.scores.items():
            if isinstance(value, float | int) and not (isinstance(value, float) and math.isnan(value)):
                self.log(f"val/{name}", float(value), prog_bar=name in ("mAP", "accuracy"), rank_zero_only=False)
        self._log_step()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """As `validation_step`."""
        self._scored(batch)

    def on_test_epoch_end(self) -> None:
        """As `on_validation_epoch_end`, under test/."""
        self.scores = self.metrics.compute()
        self.metrics.reset()
        self.log_dict(
            {f"test/{k}": float(v) for k, v in self.scores.items() if isinstance(v, float | int) and not math.isnan(v)}
        )

    def configure_optimizers(self) -> dict[str, Any]:
        """The optimizer, and the schedule stepped after each of its steps.

        Raises:
            ValueError: the optimizer does not take its settings.
        """
        try:
            optimizer = self.make_optimizer([p for p in self.parameters() if p.requires_grad])
        except IndexError as error:  # of betas=[0.8], torch takes the second
            raise ValueError("optimizer: a list has too few values (betas has two).") from error
        except (ValueError, TypeError) as error:
            raise ValueError(f"optimizer: {str(error).splitlines()[0]}. See its settings in conf/optimizer.") from error
        for group in optimizer.param_groups if self.lr_batch_size else ():
            group["lr"] *= self.trainer.datamodule.batch_size / self.lr_batch_size
        fuse(optimizer, self.device.type)
        scheduler = self.make_scheduler(optimizer, total_steps=self._total_steps())
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _total_steps(self) -> int:
        """Optimizer steps of the run; trainer.estimated_stepping_batches would drop the loader's saved position."""
        trainer = self.trainer
        if trainer.max_steps != -1:
            return trainer.max_steps
        data = trainer.datamodule
        return trainer.max_epochs * (data.clips_per_epoch // data.batch_size)

    def _log_step(self) -> None:
        """Tells the loggers how many optimizer steps are done: Lightning's own count lags behind by the last one."""
        self.log("step", float(self.trainer.global_step))

    def _scored(self, batch: Batch) -> Tensor:
        """-> logits (B, K), whose scores are collected; in float32 whatever the precision of the training.

        bfloat16 moves probabilities of a MobileNetV2 trained on the demo set by up to 0.04 and its mAP by 0.0015, of a
        ResNet22 by 0.014 and 0.00004: the same weights should not have two scores.
        """
        with no_autocast(self.device.type):
            logits = self.model(self._signal(batch)).clip_logits
        self.metrics.update(batch.row, self.probabilities(logits), batch.target)
        return logits

    def _signal(self, batch: Batch) -> Tensor:
        """-> (B, L) float32 in [-1, 1) at the model's rate."""
        return self.resample(batch.waveform.float().div_(FULL_SCALE))  # in place: of int16, float() is a copy

    def _stop(self, failed: Verdict | None) -> None:
        if failed is None:
            return
        store = self.trainer.datamodule.store
        names = ", ".join(store.id[int(row)].decode() for row in failed.rows)
        raise NonFiniteLossError(
            f"The loss or gradient of step {failed.step} is not finite; the weights are still those of the step "
            f"before. Its clips: {names}. Lower optimizer.lr, set trainer.gradient_clip_val, or take "
            "trainer.precision=32-true."
        )


def start_at_prior(model: AudioTagger, class_counts: Tensor | None) -> None:
    """Sets the classifier's bias to log((n + 1) / (N - n + 1)) for a class with n of the N training labels.

    Raises:
        ValueError: the class counts are not known.
    """
    if class_counts is None:
        raise ValueError("task.prior_bias needs the training clips per class.")
    counts = class_counts.double()
    with torch.no_grad():
        model.head.classifier.bias.copy_(torch.log((counts + 1) / (counts.sum() - counts + 1)))
