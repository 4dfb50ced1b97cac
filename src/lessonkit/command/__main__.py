"""`python -m lessonkit.command`: the command `lesson` where its script is not on the path."""

from lessonkit.command import main

main()
