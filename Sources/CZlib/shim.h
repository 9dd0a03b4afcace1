// What Swift sees of zlib: all of it; a shim because pkg-config gives flags, not headers.
#include <zlib.h>
