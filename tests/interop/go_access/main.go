// Services with go-chassis' client libraries for the registry and for KIE while an engine's access control goes from off to observe to
// enforce and back: one line a check, `ok NAME | SAW` or `bad NAME | SAW`. Arguments: the engine's address, root's password.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-chassis/cari/discovery"
	"github.com/go-chassis/cari/rbac"
	"github.com/go-chassis/foundation/httpclient"
	"github.com/go-chassis/kie-client"
	sc "github.com/go-chassis/sc-client"
)

const (
	app      = "access-go"
	password = "Go-chassis-2"
)

var (
	engine = os.Args[1]
	bad    = false
)

func check(name string, good bool, saw interface{}) {
	word := "ok"
	if !good {
		word, bad = "bad", true
	}
	fmt.Printf("%s %s | %v\n", word, name, saw)
}

func must(err error) {
	if err != nil {
		fmt.Printf("bad stopped | %v\n", err)
		os.Exit(1)
	}
}

// service is an instance, with the account that it calls with (an empty name: none).
type service struct {
	client     *sc.Client
	user       *rbac.AuthUser
	serviceID  string
	instanceID string
}

func newService(account, itsPassword string) *service {
	return renewing(account, itsPassword, 0)
}

// renewing asks for a token again after a while (0: after the library's ten hours).
func renewing(account, itsPassword string, after time.Duration) *service {
	user := &rbac.AuthUser{Username: account, Password: itsPassword}
	address := strings.TrimPrefix(engine, "http://")
	client, err := sc.NewClient(sc.Options{
		Endpoints: []string{address}, Timeout: 5 * time.Second, EnableAuth: account != "", AuthUser: user, TokenExpiration: after})
	must(err)
	return &service{client: client, user: user}
}

func (s *service) register(name string) (err error) {
	described := &discovery.MicroService{AppId: app, ServiceName: name, Version: "1.0.0", Level: "BACK", Status: "UP"}
	if s.serviceID, err = s.client.RegisterService(described); err != nil {
		return err
	}
	s.instanceID, err = s.client.RegisterMicroServiceInstance(&discovery.MicroServiceInstance{
		ServiceId: s.serviceID, HostName: name, Endpoints: []string{"rest://127.0.0.1:1"}, Status: sc.MSInstanceUP})
	return err
}

func (s *service) beat() error {
	_, err := s.client.Heartbeat(s.serviceID, s.instanceID)
	return err
}

// read asks for configuration with the service's token, as go-chassis does: its own client of KIE knows nothing of accounts.
func (s *service) read() error {
	sign := func(request *http.Request) error { return nil }
	if s.user.Username != "" {
		token, err := s.client.GetToken(s.user)
		if err != nil {
			return err
		}
		sign = func(request *http.Request) error {
			request.Header.Set("Authorization", "Bearer "+token)
			return nil
		}
	}
	client, err := kie.NewClient(kie.Config{Endpoint: engine, HTTPOptions: &httpclient.Options{SignRequest: sign}})
	must(err)
	labels := map[string]string{"app": app, "environment": ""}
	_, _, err = client.List(context.Background(), kie.WithLabels(labels), kie.WithExact())
	return err
}

func (s *service) works() error {
	if err := s.beat(); err != nil {
		return err
	}
	return s.read()
}

func ask(method, path string, body interface{}, authorization string) map[string]interface{} {
	sent, err := json.Marshal(body)
	must(err)
	request, err := http.NewRequest(method, engine+path, bytes.NewReader(sent))
	must(err)
	request.Header.Set("Authorization", authorization)
	answer, err := http.DefaultClient.Do(request)
	must(err)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		must(fmt.Errorf("%s %s: %s", method, path, answer.Status))
	}
	got := map[string]interface{}{}
	_ = json.NewDecoder(answer.Body).Decode(&got)
	return got
}

func turn(mode string) {
	ask("PUT", "/waggle/v1/access", map[string]interface{}{"mode": mode, "password": os.Args[2], "confirm": true}, "")
}

func asRoot(method, path string, body interface{}) {
	token := ask("POST", "/v4/token", map[string]string{"name": "root", "password": os.Args[2]}, "")["token"]
	ask(method, path, body, fmt.Sprintf("Bearer %v", token))
}

func create(account, role string) {
	asRoot("POST", "/v4/accounts", map[string]interface{}{"name": account, "password": password, "roles": []string{role}})
}

func says(err error, words string) bool {
	return err != nil && strings.Contains(err.Error(), words)
}

func main() {
	anonymous := newService("", "")
	must(anonymous.register("anonymous"))
	check("off: who has no account works", anonymous.works() == nil, anonymous.instanceID)
	early := newService("go", password)
	err := early.register("early")
	check("off: who has one cannot work", says(err, "response status code: 404"), err)

	turn("observe")
	err = early.register("early")
	check("observe: who has one that is unknown cannot work", says(err, "response status code: 401"), err)
	create("go", "developer")
	err = early.register("early")
	check("observe: it can as soon as its account is there", err == nil && early.works() == nil, err)
	check("observe: who has no account works", anonymous.works() == nil, anonymous.instanceID)
	wrong := newService("go", "Go-chassis-3")
	err = wrong.register("wrong")
	check("observe: a wrong password cannot work", says(err, "response status code: 401"), err)

	turn("enforce")
	check("enforce: who has a token goes on at once", early.works() == nil, early.instanceID)
	err = anonymous.beat()
	check("enforce: who has no account is refused", says(err, "401"), err)
	check("enforce: and reads nothing", anonymous.read() != nil, anonymous.serviceID)
	err = early.client.WatchMicroService(early.serviceID, func(*sc.MicroServiceInstanceChangedEvent) {})
	check("enforce: the library's watch carries no token, and is refused", err != nil, err)
	instances, err := early.client.FindMicroServiceInstances(early.serviceID, app, "anonymous", "0+")
	check("enforce: finds go on", err == nil && len(instances) == 1, err)
	renewal()
	lockOut(early)

	turn("observe")
	check("observe again: nobody is refused", anonymous.works() == nil, anonymous.instanceID)
	turn("off")
	check("off again: nobody is refused", anonymous.works() == nil && early.beat() == nil, anonymous.instanceID)
	if bad {
		os.Exit(1)
	}
}

// renewal lets an account have another role, which counts from its next token on: the library asks for one by its clock.
func renewal() {
	looking := map[string]interface{}{"resources": []interface{}{map[string]string{"type": "service"}}, "verbs": []string{"get"}}
	asRoot("POST", "/v4/roles", map[string]interface{}{"name": "looker", "perms": []interface{}{looking}})
	create("renewing", "looker")
	kept, renewed := newService("renewing", password), renewing("renewing", password, time.Second)
	check("enforce: its role may not register", kept.register("renewing") != nil && renewed.register("renewing") != nil, "looker")
	asRoot("PUT", "/v4/accounts/renewing", map[string]interface{}{"roles": []string{"developer"}})
	err := renewed.register("renewing")
	for times := 0; times < 100 && err != nil; times++ {
		time.Sleep(100 * time.Millisecond)
		err = renewed.register("renewing")
	}
	check("enforce: it may once the library has renewed its token", err == nil, err)
	check("enforce: and may not with the token from before", kept.register("renewing") != nil, "looker")
}

// lockOut guesses the password of an account of its own.
func lockOut(other *service) {
	create("locked", "developer")
	guessing := newService("locked", "Go-chassis-3")
	statuses := []string{}
	for times := 0; times < 4; times++ {
		_, err := guessing.client.GetToken(guessing.user)
		statuses = append(statuses, err.Error()[strings.LastIndex(err.Error(), " ")+1:])
	}
	check("enforce: the fourth wrong password is locked out", strings.Join(statuses, " ") == "401 401 401 403", statuses)
	_, err := guessing.client.GetToken(&rbac.AuthUser{Username: "locked", Password: password})
	check("enforce: so is the right one", says(err, "response status code: 403"), err)
	_, err = other.client.GetToken(other.user)
	check("enforce: and nobody else", err == nil, err)
}
