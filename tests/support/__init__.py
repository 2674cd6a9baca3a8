"""What tests share: made blocks, a replay that is obviously right, and an Ogmios that misbehaves on command.

Nothing here is shared with the product, so that a mistake cannot cancel out.
"""
