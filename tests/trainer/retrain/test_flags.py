"""The command line of retrain.py: names, defaults, types, ranges, and what is said of a wrong word."""

from __future__ import annotations

import pytest

from harness.errors import SettingsError
from trainer.retrain.flags import Flags, parse_flags


def test_old_names_and_defaults() -> None:
    old = {
        "image_dir": "", "output_graph": "/tmp/output_graph.pb",
        "intermediate_output_graphs_dir": "/tmp/intermediate_graph/", "intermediate_store_frequency": 0,
        "output_labels": "/tmp/output_labels.txt", "summaries_dir": "/tmp/retrain_logs",
        "how_many_training_steps": 4000, "learning_rate": 0.01, "testing_percentage": 10, "validation_percentage": 10,
        "eval_step_interval": 10, "train_batch_size": 100, "test_batch_size": -1, "validation_batch_size": 100,
        "print_misclassified_test_images": False, "bottleneck_dir": "/tmp/bottleneck",
        "final_tensor_name": "final_result", "flip_left_right": False, "random_crop": 0, "random_scale": 0,
        "random_brightness": 0, "tfhub_module": "https://tfhub.dev/google/imagenet/inception_v3/feature_vector/1",
        "saved_model_dir": "", "logging_verbosity": "INFO",
    }  # fmt: skip
    ours = dict(parse_flags([]))
    assert {name: ours[name] for name in old} == old
    assert list(ours)[:24] == list(old)
    assert all(type(ours[name]) is type(default) for name, default in old.items())
    assert ours == dict(Flags())


def test_values_follow_their_flags_in_both_ways() -> None:
    flags = parse_flags(["--random_crop", "3", "--learning_rate=2", "--resume", "--plugin", "a.py", "--plugin=b.py"])
    assert (flags.random_crop, flags.learning_rate, flags.resume) == (3, 2.0, True)
    assert flags.plugin == ("a.py", "b.py")
    assert flags.distorts and not Flags().distorts


def test_the_module_with_what_was_given_by_hand() -> None:
    flags = parse_flags(["--tfhub_module=a", "--image_size=20x32", "--value_range=-1,1"])
    assert flags.module() == {"handle": "a", "image_size": [20, 32], "value_range": [-1.0, 1.0]}
    assert Flags(tfhub_module="a").module() == {"handle": "a", "image_size": None, "value_range": None}


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--image_dri=x"], "error: unknown flag --image_dri: did you mean --image_dir?"),
        (["--how_many_training_step", "3"], "did you mean --how_many_training_steps?"),
        (["--image_dir", "x", "y"], "unexpected argument 'y'"),
        (["--random_crop=much"], "invalid int value: 'much'"),
        (["--split", "random"], "invalid choice: 'random'"),
    ],
)
def test_wrong_command_lines_are_one_line(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parse_flags(argv)
    err = capsys.readouterr().err
    assert left.value.code == 2
    assert said in err and err.count("\n") == 1


TENSOR_NAME = "must be the name of a node: letters, digits, _ . - and / inside, without ':0'"


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--random_crop=-1", "must be an integer of 0 or more"),
        ("--random_brightness=101", "must be 100 or less"),
        ("--eval_step_interval=0", "must be a positive integer"),
        ("--test_batch_size=0", "must be 1 or more, or -1 for the whole set"),
        ("--validation_batch_size=-2", "must be 1 or more, or -1 for the whole set"),
        ("--train_batch_size=0", "must be a positive integer"),
        ("--learning_rate=0.0", "must be a number above 0"),
        ("--testing_percentage=101", "must be 100 or less"),
        ("--output_graph=''", "must not be empty"),
        ("--final_tensor_name='my result'", TENSOR_NAME),
        ("--final_tensor_name='final_result:0'", TENSOR_NAME),
        ("--final_tensor_name='scores/'", TENSOR_NAME),
        ("--image_size='big'", "must be HEIGHTxWIDTH, such as 224x224"),
        ("--value_range='1'", "must be two numbers, such as -1,1"),
    ],
)
def test_wrong_values_are_named_as_they_were_written(flag: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_flags([flag.replace("'", "")])
    assert str(caught.value) == f"{flag}: {said}"
