"""The plain twin of every compiled kernel: same name, same arguments, same arrays written.

One file for each file of kernels, to be read and checked: Python integers and texts in place of
words and loops over bytes, and far too slow to serve. Arguments are described at the kernels;
what is said here is what they must mean. Nothing but the tests calls them.
"""
