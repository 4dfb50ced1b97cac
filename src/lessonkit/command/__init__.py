"""The command `lesson`."""

import sys


def main() -> None:
    """Run the command; what cannot be done is said in a sentence, with exit status 2."""
    from lessonkit.command import presenting, resetting, slides, studio  # noqa: F401  # adds its commands
    from lessonkit.command.application import application
    from lessonkit.course import LessonError
    from lessonkit.terminal import console

    try:
        application()
    except LessonError as error:
        console(stderr=True).print(str(error), style="red", markup=False)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
