import pytest

from panns.cli import main


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["models", "cn14"], "No model 'cn14'. Did you mean cnn14? Choose from cnn10, cnn14, "),
        (["models", "CNN14"], "No model 'CNN14'. Did you mean cnn14? Choose from "),
        (["download", "cnn_10"], "No model 'cnn_10'. Did you mean cnn10? Choose from "),
        (["tag", "mobilnet_v1", "a.wav"], "No checkpoint or model 'mobilnet_v1'. Did you mean mobilenet_v1?"),
        (["tag", "guitar", "a.wav"], "No checkpoint or model 'guitar'. Choose from "),
        (["tag", "runs/best.ckpt", "a.wav"], "There is no checkpoint runs/best.ckpt."),
    ],
)
def test_a_mistyped_name_is_answered_with_the_nearest(command, says, capsys):
    assert main(command) == 2
    assert capsys.readouterr().err.startswith(f"panns {command[0]}: {says}")
