package console

import "time"

// LifeSign is how often the core sends PROGRESS at least while it works on a DO,
// so that a client can tell a long operation from a core that is gone.
const LifeSign = 2 * time.Second
