"""What a lesson's notebook calls: `check()`, `hint()`, `diff()`, `predict()` and `serve()`."""

from lessonkit.notebook.checking import check, diff, hint
from lessonkit.notebook.predicting import Prediction, predict
from lessonkit.notebook.serving import serve
from lessonkit.notebook.shown import Shown

__all__ = ["Prediction", "Shown", "check", "diff", "hint", "predict", "serve"]
