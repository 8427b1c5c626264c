"""The audit of files of lists that a language model wrote: what differs from files of digit readers, and no more."""
