# SPDX-License-Identifier: LGPL-2.1-or-later
# Golden streams: recorded once, read and restored by what we have now.
QUICK_TESTS += tests/data/test-golden
