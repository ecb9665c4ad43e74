"""The device's end of a connection: sent along as text, it stores what it is sent and runs the agent.

The modules run under Python 3.6 with nothing but the standard library. They import each other and `bundles.probe` by
their names here, under which the host sends them (`targets/shell/client.py`), and nothing else from edgecheck.
"""
