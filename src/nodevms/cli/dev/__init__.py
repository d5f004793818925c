"""``nodevms exec --dev``: a script that is being written, served anew at every change."""
