# SPDX-License-Identifier: Apache-2.0
# The yara and filedir plugins as the loader loads them from the build tree. They link
# the library: so do the tests, to have it once.
function(stoq_plugins_test name)
  stoq_unit_test(${name} stoq)
  if(NOT TARGET ${name})
    return()
  endif()
  target_sources(${name} PRIVATE plugins_support.c)
  target_compile_definitions(${name} PRIVATE
    RULES_DIR="${CMAKE_CURRENT_SOURCE_DIR}/yara_rules"
    EXAMPLES_DIR="${PROJECT_SOURCE_DIR}/examples/rules")
  add_dependencies(${name} ${ARGN})
endfunction()

stoq_plugins_test(test_plugins_filedir plugin_filedir)
if(TARGET plugin_yara)
  foreach(what rules worker dispatch cache examples)
    stoq_plugins_test(test_plugins_yara_${what} plugin_yara)
  endforeach()
endif()
