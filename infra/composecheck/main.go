// Composecheck reads compose files as Docker Compose would, without a Docker engine, and fails where it would:
//
//	go run . ENV_FILE COMPOSE_FILE...
//
// That is: the schema of the Compose Specification, every variable set, every file and reference there, all profiles on.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/sirupsen/logrus"
)

// A variable that is not set is only a warning to Compose; here it is an error.
type strict struct{}

func (strict) Levels() []logrus.Level { return []logrus.Level{logrus.WarnLevel} }

func (strict) Fire(entry *logrus.Entry) error {
	fmt.Fprintln(os.Stderr, "error:", entry.Message)
	os.Exit(1)
	return nil
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: composecheck ENV_FILE COMPOSE_FILE...")
		os.Exit(2)
	}
	logrus.AddHook(strict{})
	if err := check(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func check(envFile string, composeFiles []string) error {
	values, err := dotenv.Read(envFile)
	if err != nil {
		return err
	}
	var variables []string
	for name, value := range values {
		variables = append(variables, name+"="+value)
	}
	options, err := cli.NewProjectOptions(composeFiles, cli.WithEnv(variables), cli.WithProfiles([]string{"*"}))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	for _, service := range project.Services {
		if service.HealthCheck == nil || service.Deploy == nil || service.Deploy.Resources.Limits == nil {
			return fmt.Errorf("%s: no health check, or no limits", service.Name)
		}
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				return fmt.Errorf("%s: port %s is open to others", service.Name, port.Published)
			}
		}
	}
	fmt.Printf("%s: %d services, as Compose reads them\n", project.Name, len(project.Services))
	return nil
}
