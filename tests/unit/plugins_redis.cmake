# SPDX-License-Identifier: Apache-2.0
# The tests start a server of their own, redis-server(1).
if(TARGET plugin_redis-queue)
  foreach(what redis redis_provider)
    stoq_plugins_test(test_plugins_${what} plugin_redis-queue)
    target_sources(test_plugins_${what} PRIVATE plugins_redis.c plugins_queues.c)
    target_link_libraries(test_plugins_${what} PRIVATE PkgConfig::HIREDIS)
    set_tests_properties(test_plugins_${what} PROPERTIES TIMEOUT 300)
  endforeach()
endif()
