// What Starling uses of libcrypto. Macros become `static inline` functions here, because Swift imports no macros.
#pragma once
// The digests are used without EVP: it looks for its parts anew, allocates and locks with each, which costs a short message more than
// hashing does. OpenSSL 3 calls that deprecated, and has it.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/md5.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
