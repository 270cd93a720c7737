// Nothing to call: linked into test programs, see mutex.c.
