"""All that emits LLVM IR: vectors, register tiles, their mathematics, teams of threads."""
