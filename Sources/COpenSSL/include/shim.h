// What Starling uses of libcrypto. Macros become `static inline` functions here, because Swift imports no macros.
#pragma once
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
