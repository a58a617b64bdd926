// Cases that must not pass, so that run.sh is seen to fail.

#ifdef should_not_compile  // some message
int good();
#endif
#ifdef says_something_else  // some message
static_assert(false, "another message");
#endif
#ifdef should_compile  // compiles
static_assert(false, "a message");
#endif
#ifdef passes  // some message
static_assert(false, "some message");
#endif
