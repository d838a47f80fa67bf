// Which build this is. SwiftPM cannot tell a target the commit (it keeps what a manifest once said), so `deploy/build-static`, which
// links what is shipped, puts it in the place of this weak symbol.
#pragma once

/// The commit's first ten digits, with `+changes` if the tree had any; empty in a build that was not linked by `deploy/build-static`.
extern const char *const starling_build_commit;
