"""Plans in native code: sources in C++, and the extension module made from them, where there was a compiler."""
