package lab_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mesh30k/agentd"
	"mesh30k/console"
	"mesh30k/console/client"
	"mesh30k/meshcore"
	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// invitePerson makes a join token for a person of a role.
func (h *house) invitePerson(role string) string {
	h.t.Helper()
	var invitation console.Invitation
	h.decode(h.does("invite "+role), &invitation)
	if want := "mesh30k connect " + invitation.Join; invitation.Paste != want {
		h.t.Errorf("the line to paste is %q, want %q", invitation.Paste, want)
	}
	return invitation.Join
}

// elsewhere is the folder of meshes of another machine.
type elsewhere string

// connect joins with a token as a person.
func (e elsewhere) connect(h *house, token, as string) (*meshcore.Home, auth.Credentials, error) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), deadline)
	defer cancel()
	return meshcore.Connect(ctx, string(e), meshcore.ConnectOptions{Token: token, As: as})
}

// must joins as connect does, and acts as that person from now on.
func (e elsewhere) must(h *house, token, as string) *meshcore.Home {
	h.t.Helper()
	home, _, err := e.connect(h, token, as)
	if err != nil {
		h.t.Fatal(err)
	}
	h.actFrom(home)
	return home
}

// actFrom lets what the house says come from the person whose credentials are
// in a folder.
func (h *house) actFrom(home *meshcore.Home) {
	h.t.Helper()
	nc, me, err := home.Dial("")
	if err != nil {
		h.t.Fatal(err)
	}
	h.client.Close()
	h.client = client.New(nc, me.Name)
}

func TestAnObserverWhoWasInvitedReadsAndChangesNothing(t *testing.T) {
	h, desk := openHouse(t, 1), elsewhere(t.TempDir())
	h.arrive("one", 6)
	h.sees("6 agents active", active(6))
	home := desk.must(h, h.invitePerson("observer"), "olga")

	h.does("status")
	for _, line := range []string{"freeze mesh", "invite observer", `broadcast "hello"`} {
		if out := h.says(line); out.Verdict != wire.WasRefused || out.Err.Code != wire.CodeForbidden {
			t.Errorf("an observer says %s: %s: %s", line, out.Verdict, out.Text)
		}
	}
	if out := h.client.Emergency(t.Context(), "", client.Handlers{}); out.Verdict != wire.WasRefused {
		t.Errorf("an observer pulls the emergency: %s: %s", out.Verdict, out.Text)
	}
	if s := h.core.View().Stats(); s.FrozenAgents != 0 {
		t.Errorf("%d agents are frozen", s.FrozenAgents)
	}

	h.stopCore()
	h.startCore()
	h.actFrom(home)
	h.does("status")
	if out := h.says("freeze mesh"); out.Verdict != wire.WasRefused {
		t.Errorf("after a restart of the core she freezes: %s", out.Text)
	}
}

func TestAnOperatorWhoWasInvitedMayDoAll(t *testing.T) {
	h, desk := openHouse(t, 1), elsewhere(t.TempDir())
	h.arrive("one", 6)
	h.sees("6 agents active", active(6))
	desk.must(h, h.invitePerson("operator"), "otto")
	h.does("freeze mesh")
	h.sees("6 frozen", frozen(6))
	elsewhere(t.TempDir()).must(h, h.invitePerson("observer"), "olga") // whom otto has invited
}

func TestAPersonsTokenCountsOnce(t *testing.T) {
	h, desk := openHouse(t, 1), elsewhere(t.TempDir())
	token := h.invitePerson("observer")
	_, first, err := desk.connect(h, token, "olga")
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(first.Expires()); left < 29*24*time.Hour || left > 30*24*time.Hour {
		t.Errorf("the credentials end in %v, want 30 days", left)
	}
	_, _, err = elsewhere(t.TempDir()).connect(h, token, "otto")
	if err := refusedWith(err, wire.CodeTokenUsed); err != nil {
		t.Error("another person:", err)
	}
	_, _, err = elsewhere(t.TempDir()).connect(h, token, "olga")
	if err := refusedWith(err, wire.CodeTokenUsed); err != nil {
		t.Error("her name with another key:", err)
	}
	// Her answer may have been lost, and the core have ended since.
	for _, when := range []string{"at once", "after a restart of the core"} {
		_, again, err := desk.connect(h, token, "olga")
		if err != nil || again.PublicKey() != first.PublicKey() || again.Role() != "observer" {
			t.Errorf("asked again %s with the same key: %+v, %v", when, again, err)
		}
		h.stopCore()
		h.startCore()
	}
}

func TestAPersonsTokenLetsNoHostIn(t *testing.T) {
	h := openHouse(t, 1)
	key, _, err := auth.NewUserKey()
	if err != nil {
		t.Fatal(err)
	}
	token := h.tokenOf(h.invitePerson("operator"))
	for _, what := range []string{"operator", "host"} { // the second is a lie, which only the core sees through
		token.What = what
		_, err = agentd.Join(t.Context(), token, wire.Join{Host: "pi", Key: key, Agents: []wire.AgentSpec{{Class: wire.ClassEdge}}})
		if err := refusedWith(err, wire.CodeForbidden); err != nil {
			t.Errorf("a host with the token of an operator, said to be of an %s: %v", what, err)
		}
	}
	_, _, err = elsewhere(t.TempDir()).connect(h, h.invite(), "olga")
	if err := refusedWith(err, wire.CodeForbidden); err != nil {
		t.Error("a person with a host's token:", err)
	}
}

// tokenOf reads the text of a token.
func (h *house) tokenOf(text string) auth.Token {
	h.t.Helper()
	token, err := auth.ParseToken(text)
	if err != nil {
		h.t.Fatal(err)
	}
	return token
}

func TestAPersonsNameIsHerOwn(t *testing.T) {
	h, desk := openHouse(t, 1), elsewhere(t.TempDir())
	h.arrive("one", 6)
	token := h.invitePerson("observer")
	for as, who := range map[string]string{"one": "a host", "cecilia": "another person"} {
		_, _, err := desk.connect(h, token, as)
		if err := refusedWith(err, wire.CodeDuplicate); err != nil {
			t.Errorf("named as %s: %v", who, err)
		}
	}
	for _, as := range []string{"core", "*", "Olga"} {
		_, _, err := desk.connect(h, token, as)
		if err := refusedWith(err, wire.CodeBadMessage); err != nil {
			t.Errorf("named %q: %v", as, err)
		}
	}
	if left, err := os.ReadDir(string(desk)); err != nil || len(left) != 0 {
		t.Errorf("what was refused left %v (%v)", left, err)
	}
	desk.must(h, token, "olga") // the token has lasted until now

	// Her key is known to many; a token of another role does not change hers.
	_, _, err := desk.connect(h, h.invitePersonAs("cecilia", "operator"), "olga")
	if err := refusedWith(err, wire.CodeDuplicate); err != nil {
		t.Error("an observer becomes an operator:", err)
	}
	// One of her own role lets her go on for longer.
	another := h.invitePersonAs("cecilia", "observer")
	if _, _, err := desk.connect(h, another, "olga"); err != nil {
		t.Error("the same person with another token:", err)
	}
	_, _, err = elsewhere(t.TempDir()).connect(h, another, "otto")
	if err := refusedWith(err, wire.CodeTokenUsed); err != nil {
		t.Error("that token is used by this:", err)
	}
}

// invitePersonAs lets one whose credentials are in the mesh's own folder invite.
func (h *house) invitePersonAs(person, role string) string {
	h.t.Helper()
	nc, me, err := h.home.Dial(person)
	if err != nil {
		h.t.Fatal(err)
	}
	was := h.client
	h.client = client.New(nc, me.Name)
	defer func() {
		h.client.Close()
		h.client = was
	}()
	return h.invitePerson(role)
}

func TestARemoteMeshIsNoMeshOfOnesOwn(t *testing.T) {
	h, desk := openHouse(t, 1), elsewhere(t.TempDir())
	home := desk.must(h, h.invitePerson("operator"), "otto")
	root := string(desk)

	if info, ok := home.Core(); !ok || info.URL == "" || info.PID != 0 {
		t.Errorf("its core is %+v, %v", info, ok)
	}
	if cores, err := meshcore.RunningCores(root); err != nil || len(cores) != 0 {
		t.Errorf("the cores that run here are %+v (%v)", cores, err)
	}
	if found, err := meshcore.FindHome(root, ""); err != nil || found.Dir != home.Dir || *found.Remote != *home.Remote {
		t.Errorf("the only mesh is %+v (%v)", found, err)
	}
	if err := refusedWith(meshcore.RunNode(t.Context(), meshcore.NodeOptions{Home: home}), wire.CodeForbidden); err != nil {
		t.Error("a core of it:", err)
	}
	if _, err := home.Keyring(); err == nil {
		t.Error("there are root keys")
	}
	for _, f := range meshcore.Examine(t.Context(), root) {
		if f.Name == "mesh story" && (!f.OK || !strings.Contains(f.Found, "otto (operator)")) {
			t.Errorf("doctor says %+v", f)
		}
	}
	if info, err := os.Stat(filepath.Join(home.Dir, "people", "otto.creds")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the credentials have %v (%v)", info.Mode(), err)
	}

	// On the machine of the mesh itself its name is taken.
	_, _, err := elsewhere(filepath.Dir(h.home.Dir)).connect(h, h.invitePerson("observer"), "olga")
	if !errors.Is(err, meshcore.ErrExists) || !strings.Contains(err.Error(), "--name") {
		t.Errorf("beside a mesh of the same name: %v", err)
	}
	if err := meshcore.RemoveHome(root, "story"); err != nil {
		t.Error(err)
	}
	if names, err := meshcore.ListHomes(root); err != nil || len(names) != 0 {
		t.Errorf("after its removal there are %v (%v)", names, err)
	}
}
