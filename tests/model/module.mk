# SPDX-License-Identifier: LGPL-2.1-or-later
# The models of the handover, for spin: tests/model/*.pml say what they show.
QUICK_TESTS += tests/model/test-model

.PHONY: model
model: deps-check
	$(Q)$(run-tests) tests/model/test-model
