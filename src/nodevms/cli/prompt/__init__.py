"""The JavaScript prompt of ``nodevms repl``.

``source`` rewrites what is typed so that its declarations last, ``script.js`` evaluates it in our
own engine, ``calls`` and ``link`` carry its calls to the backend, ``session`` ties them together,
and ``screen``, ``terminal`` and ``piped`` are its ends towards people and programs.
"""
