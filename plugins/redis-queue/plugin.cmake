# SPDX-License-Identifier: Apache-2.0
set(STOQ_PLUGIN_REDIS_QUEUE AUTO CACHE STRING
  "Build the redis-queue plugin: AUTO, ON or OFF")
stoq_optional(build_redis_queue STOQ_PLUGIN_REDIS_QUEUE HIREDIS hiredis>=0.14
  "redis-queue provider, archiver, connector")
if(build_redis_queue)
  stoq_plugin(redis-queue LIBS PkgConfig::HIREDIS Threads::Threads SOURCES common/ledger.c)
endif()
