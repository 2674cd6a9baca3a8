"""What tests share: made blocks, a replay that is obviously right, and an Ogmios that misbehaves on command.

The blocks, the replay and the Ogmios share no code with the product, so that a mistake cannot cancel out.
"""
