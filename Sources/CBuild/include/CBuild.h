// What the maker of this build said about it.
//
// In C because a manifest can hand text to the compiler of C alone, and apart from everything else
// so that the next commit compiles this one file again and not the house.
#ifndef CBUILD_H
#define CBUILD_H

/// The commit that was built, as `git describe` names it, or "unknown".
const char *_Nonnull martlet_revision(void);

#endif
