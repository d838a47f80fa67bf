// header-only; see include/CLinux.h
