# SPDX-License-Identifier: Apache-2.0
# Plugins for the tests of src/plugin. They find the library's functions in the test
# program itself, so that a room's tests need that room alone; hence no link flags.
function(stoq_test_plugin dir object source)
  cmake_parse_arguments(arg "" "" "DEFS;LIBS" ${ARGN})
  set(target testplugin_${dir})
  add_library(${target} MODULE ${source})
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME ${object} C_VISIBILITY_PRESET hidden
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/plugins/${dir})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src/include
    ${PROJECT_SOURCE_DIR}/plugins)
  target_compile_definitions(${target} PRIVATE ${arg_DEFS}
    $<TARGET_PROPERTY:stoq_flags,INTERFACE_COMPILE_DEFINITIONS>)
  target_compile_options(${target} PRIVATE
    $<TARGET_PROPERTY:stoq_flags,INTERFACE_COMPILE_OPTIONS>)
  target_link_libraries(${target} PRIVATE PkgConfig::JANSSON ${arg_LIBS})
  if(STOQ_SANITIZE OR STOQ_COVERAGE)
    target_link_options(${target} PRIVATE
      $<TARGET_PROPERTY:stoq_flags,INTERFACE_LINK_OPTIONS>)
  endif()
  set_property(GLOBAL APPEND PROPERTY STOQ_TEST_PLUGINS ${target})
endfunction()

set(bad ${CMAKE_CURRENT_SOURCE_DIR}/plugins_bad)
stoq_test_plugin(good broken ${bad}/broken.c)
stoq_test_plugin(abi broken ${bad}/broken.c DEFS BROKEN_ABI=7U)
stoq_test_plugin(small broken ${bad}/broken.c DEFS BROKEN_SIZE=8)
stoq_test_plugin(old broken ${bad}/broken.c
  DEFS "BROKEN_SIZE=offsetof(struct stoq_plugin,dispatch)")
stoq_test_plugin(huge broken ${bad}/broken.c DEFS BROKEN_SIZE=1048576)
stoq_test_plugin(noname broken ${bad}/broken.c DEFS BROKEN_NAME=NULL)
stoq_test_plugin(othername broken ${bad}/broken.c DEFS "BROKEN_NAME=\"other\"")
stoq_test_plugin(noop broken ${bad}/broken.c DEFS BROKEN_SCAN=NULL)
stoq_test_plugin(noentry broken ${bad}/broken.c DEFS BROKEN_ENTRY)
stoq_test_plugin(noopen broken ${bad}/broken.c DEFS BROKEN_OPEN=-ENOKEY)
stoq_test_plugin(probe probe ${bad}/probe.c)
stoq_test_plugin(probe_instance probe ${bad}/probe.c
  DEFS PROBE_MODEL=STOQ_THREAD_PER_INSTANCE)
stoq_test_plugin(probe_parallel probe ${bad}/probe.c
  DEFS PROBE_MODEL=STOQ_THREAD_PARALLEL)

# The shipped content workers and the connector, against the same stand-ins.
set(shipped ${PROJECT_SOURCE_DIR}/plugins)
stoq_test_plugin(hash hash ${shipped}/hash/hash.c LIBS PkgConfig::CRYPTO)
stoq_test_plugin(entropy entropy ${shipped}/entropy/entropy.c LIBS m)
stoq_test_plugin(b64decode b64decode ${shipped}/b64decode/b64decode.c)
stoq_test_plugin(stdout stdout ${shipped}/stdout/stdout.c)
stoq_test_plugin(example example ${PROJECT_SOURCE_DIR}/examples/plugin/example.c)
if(build_mimetype OR TARGET PkgConfig::MAGIC)
  stoq_test_plugin(mimetype mimetype ${shipped}/mimetype/mimetype.c
    LIBS PkgConfig::MAGIC)
  set(magic_defs HAVE_MIMETYPE)
endif()

foreach(what manifest options loader call workers nomem)
  stoq_unit_test(test_plugin_${what} plugin util)
  target_sources(test_plugin_${what} PRIVATE test_plugin_support.c)
  target_compile_definitions(test_plugin_${what} PRIVATE
    PLUGIN_DIR="${PROJECT_BINARY_DIR}/tests/plugins" ${magic_defs})
  set_target_properties(test_plugin_${what} PROPERTIES ENABLE_EXPORTS ON)
  get_property(modules GLOBAL PROPERTY STOQ_TEST_PLUGINS)
  add_dependencies(test_plugin_${what} ${modules})
endforeach()
target_link_options(test_plugin_nomem PRIVATE
  -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup)
