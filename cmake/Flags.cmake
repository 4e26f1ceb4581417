# SPDX-License-Identifier: Apache-2.0
# Compiler flags, on one interface target that everything links. Listed per compiler;
# a flag that is refused is an error, never dropped quietly.

add_library(stoq_flags INTERFACE)
target_compile_definitions(stoq_flags INTERFACE _GNU_SOURCE)
target_compile_options(stoq_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wvla -Walloca -Wundef -Wstrict-prototypes
  -Wmissing-prototypes -Wmissing-declarations -Wold-style-definition -Wpointer-arith
  -Wcast-qual -Wwrite-strings -Wformat=2 -Wconversion -Wsign-conversion -Wswitch-enum
  -Wnull-dereference -Wdouble-promotion -Wredundant-decls -Wimplicit-fallthrough
  -Wunused-result -Wdate-time)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(stoq_flags INTERFACE
    -Wformat-signedness -Wlogical-op -Wduplicated-cond -Wduplicated-branches
    -Wjump-misses-init -Warith-conversion -Wcast-align=strict -Wtrampolines
    -Wbidi-chars=any)
elseif(CMAKE_C_COMPILER_ID MATCHES "Clang")
  target_compile_options(stoq_flags INTERFACE
    -Wcast-align -Wthread-safety -Wcomma -Wassign-enum -Wconditional-uninitialized
    -Wextra-semi-stmt -Wunreachable-code
    # STOQ_STEAL is a statement expression, marked with __extension__
    -Wno-gnu-statement-expression)
endif()
if(STOQ_WERROR)
  target_compile_options(stoq_flags INTERFACE -Werror)
endif()

if(STOQ_SANITIZE)
  target_compile_options(stoq_flags INTERFACE
    -fsanitize=${STOQ_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  string(REPLACE "fuzzer-no-link,"  "" stoq_link_sanitize "${STOQ_SANITIZE}")
  target_link_options(stoq_flags INTERFACE -fsanitize=${stoq_link_sanitize})
else()
  # clang's sanitizer runtimes are not linked into shared objects, so -z defs only here
  target_link_options(stoq_flags INTERFACE -Wl,-z,defs)
endif()

if(STOQ_HARDEN)
  target_compile_options(stoq_flags INTERFACE
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong
    -fstack-clash-protection -fno-common)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    target_compile_options(stoq_flags INTERFACE -fcf-protection)
  endif()
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(stoq_flags INTERFACE -ftrivial-auto-var-init=zero)
  endif()
  target_link_options(stoq_flags INTERFACE -Wl,-z,relro,-z,now -Wl,--as-needed)
endif()

if(STOQ_COVERAGE)
  target_compile_options(stoq_flags INTERFACE --coverage)
  target_link_options(stoq_flags INTERFACE --coverage)
endif()
