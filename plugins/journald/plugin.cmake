# SPDX-License-Identifier: Apache-2.0
stoq_plugin(journald SOURCES common/sock.c common/summary.c)
