"""Transactions: from what is intended to bytes to sign, and a last look at the bytes before they are sent.

`intents` says what can be wanted, `build.build` makes the transaction, `signing` adds signatures, `check.check` decodes
the signed bytes anew and compares them with what was intended. Nothing in here sends anything.
"""
