"""Batch norms taken into the convolutions in front of them: the same numbers from fewer passes over memory."""

import copy
import logging
from collections import Counter
from collections.abc import Iterator

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from panns.models.frontends import LogMel
from panns.models.tagger import AudioTagger

Conv = nn.Conv1d | nn.Conv2d
BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d

logger = logging.getLogger(__name__)


def fold_batch_norms(model: AudioTagger) -> AudioTagger:
    """A copy for inference, in evaluation mode, whose convolutions do what their batch norms did.

    Which batch norm follows which convolution is read off the traced computation, so it holds for any architecture. An
    average pooling between the two (MobileNets) changes nothing: the mean of values scaled and shifted is their mean
    scaled and shifted. The batch norm of the log-mel has no convolution in front of it and stays.

    A part that `torch.fx` cannot trace is left as it is, which is logged as a warning.
    """
    folded = copy.deepcopy(model).eval()
    for name, part in (("frontend", folded.frontend), ("backbone", folded.backbone)):
        try:
            pairs = list(_pairs(part))
        except fx.proxy.TraceError as error:
            logger.warning("The batch norms of the %s are not folded: %s", name, error)
            continue
        for conv, norm in pairs:
            _fold(part, conv, norm)
    return folded


class _Tracer(fx.Tracer):
    """Looks into everything but convolutions, torch's other layers and the log-mel."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, LogMel | Conv) or super().is_leaf_module(m, module_qualified_name)


def _pairs(part: nn.Module) -> Iterator[tuple[str, str]]:
    """Names of each convolution and of the batch norm that alone reads it, both called once."""
    if isinstance(part, LogMel):
        return
    graph = _Tracer().trace(part, concrete_args={"augment": None})
    calls = [node for node in graph.nodes if node.op == "call_module"]
    times = Counter(str(node.target) for node in calls)
    layers = {node: part.get_submodule(str(node.target)) for node in calls if times[str(node.target)] == 1}
    for node, layer in layers.items():
        if not isinstance(layer, BatchNorm) or layer.running_mean is None:
            continue
        source = node.args[0]
        while isinstance(layers.get(source), nn.AvgPool2d | nn.Identity) and len(source.users) == 1:
            source = source.args[0]
        if isinstance(layers.get(source), Conv) and len(source.users) == 1:
            yield str(source.target), str(node.target)


def _fold(part: nn.Module, conv_name: str, norm_name: str) -> None:
    conv, norm = part.get_submodule(conv_name), part.get_submodule(norm_name)
    assert isinstance(conv, Conv)
    assert isinstance(norm, BatchNorm)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    part.set_submodule(norm_name, nn.Identity())
