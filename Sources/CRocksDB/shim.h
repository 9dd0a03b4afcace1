// RocksDB's C API, as it is.
#include <rocksdb/c.h>
