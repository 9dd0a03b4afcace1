// What Swift sees of libnghttp2: all of it; a shim because pkg-config gives flags, not headers.
#include <nghttp2/nghttp2.h>
