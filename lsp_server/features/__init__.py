"""What the server can do, a file each.

Every feature is a plain function `(session, params)`: what it does itself happens in the moment the
request arrived, the slow rest is the awaitable it returns. Its first message imports its file.
"""
