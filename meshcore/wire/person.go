package wire

import "time"

// PersonJoin asks to be let in as a person, on m.join.<token id>, as the
// token's restricted user. Answered by PERSON_JOINED or ERROR. Which role she
// gets is in the token.
type PersonJoin struct {
	Header
	Mesh   string `json:"mesh"`
	Person string `json:"person"` // the name that she chooses
	Key    string `json:"key"`    // her public NATS user nkey (U…)
	Unknown
}

// Check implements [Message].
func (j *PersonJoin) Check() error {
	var c checks
	c.name("mesh", j.Mesh)
	c.name("person", j.Person)
	c.that(j.Person != CoreName, "person: the name %q belongs to the core itself", CoreName)
	c.that(publicKey.MatchString(j.Key), "key: want a public NATS user nkey of 56 characters beginning with U")
	return c.err
}

// PersonJoined lets a person connect under her own name.
type PersonJoined struct {
	Header
	Mesh    string    `json:"mesh"`
	Person  string    `json:"person"`
	Role    Role      `json:"role"`
	JWT     string    `json:"jwt"` // for the key of PERSON_JOIN
	Expires time.Time `json:"expires"`
	Unknown
}

// Check implements [Message].
func (j *PersonJoined) Check() error {
	var c checks
	c.name("mesh", j.Mesh)
	c.name("person", j.Person)
	c.that(j.Role == Operator || j.Role == Observer, "role: %q: want operator or observer", Clean(string(j.Role)))
	c.that(j.JWT != "", "jwt: there is none")
	return c.err
}
