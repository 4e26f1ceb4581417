# SPDX-License-Identifier: Apache-2.0
# The gate alone, over a pool, a store, a courier and a node table of the test's making.
if(STOQ_FS)
  pkg_check_modules(FUSE3 REQUIRED IMPORTED_TARGET fuse3>=3.14)
  file(GLOB gate_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/fs/gate*.c)

  stoq_unit_test(test_fs_gate util)
  target_sources(test_fs_gate PRIVATE fs_gate_fakes.c ${gate_sources})
  target_include_directories(test_fs_gate PRIVATE ${PROJECT_SOURCE_DIR}/fs
    ${FUSE3_INCLUDE_DIRS})

  stoq_unit_test(test_fs_gate_race util)
  target_sources(test_fs_gate_race PRIVATE fs_gate_fakes.c ${gate_sources})
  target_include_directories(test_fs_gate_race PRIVATE ${PROJECT_SOURCE_DIR}/fs
    ${FUSE3_INCLUDE_DIRS})
endif()
