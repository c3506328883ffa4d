"""The help of each command ends with an example that the command accepts."""

import argparse
import shlex

import pytest

from facial_keypoints.__main__ import COMMANDS, main


@pytest.mark.parametrize("name", [command.__name__.rpartition(".")[2] for command in COMMANDS])
def test_help_of_each_command_ends_with_a_valid_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    assert stopped.value.code == 0
    shown, _, example = capsys.readouterr().out.rpartition("\n\n")
    assert "\nface detection:\n" in shown
    program, command, *arguments = shlex.split(example.removeprefix("example: "))
    assert (program, command) == ("facial-keypoints", name)
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    for module in COMMANDS:
        module.add_parser(commands)
    parser.parse_args([command, *arguments])
