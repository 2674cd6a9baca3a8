"""A daemon that runs for long, in a world where much goes wrong: does anything of it grow that should not?"""
