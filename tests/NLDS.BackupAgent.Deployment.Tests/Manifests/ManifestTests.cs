using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Deployment.Tests.Manifests;

/// <summary>Each kustomization is built by kubectl, and everything in it that names something else names a thing that is there.</summary>
public sealed partial class ManifestTests
{
    /// <summary>Of the API that a Kubernetes 1.32 server serves, and the operator's two kinds.</summary>
    private static readonly HashSet<string> Kinds =
    [
        "v1 Namespace", "v1 ServiceAccount", "v1 Service", "v1 ConfigMap", "v1 Secret", "v1 PersistentVolumeClaim", "apps/v1 StatefulSet", "policy/v1 PodDisruptionBudget",
        "networking.k8s.io/v1 NetworkPolicy", "rbac.authorization.k8s.io/v1 ClusterRole", "rbac.authorization.k8s.io/v1 ClusterRoleBinding", "rbac.authorization.k8s.io/v1 Role",
        "rbac.authorization.k8s.io/v1 RoleBinding", "monitoring.coreos.com/v1 PodMonitor", "monitoring.coreos.com/v1 PrometheusRule",
    ];

    public static TheoryData<string> Kustomizations => ["base", .. Folders("overlays"), .. Folders("components").Select(component => $"base+{component}")];

    [Theory]
    [MemberData(nameof(Kustomizations))]
    public async Task It_builds_into_known_kinds_of_one_namespace(string kustomization)
    {
        var built = await BuiltManifests.OfAsync(kustomization);

        built.Objects.Count.ShouldBeGreaterThan(10);
        foreach (var item in built.Objects)
        {
            Kinds.ShouldContain($"{item["apiVersion"]} {item["kind"]}");
            ((string?)item["metadata"]!["name"]).ShouldNotBeNullOrEmpty();
            if (!((string)item["kind"]!).StartsWith("Cluster", StringComparison.Ordinal) && (string?)item["kind"] != "Namespace")
            {
                ((string?)item["metadata"]!["namespace"]).ShouldBe("nlds", item["metadata"]!["name"]!.ToString());
            }
        }

        built.Objects.Select(item => $"{item["kind"]}/{item["metadata"]!["name"]}").ShouldBeUnique();
    }

    [Theory]
    [MemberData(nameof(Kustomizations))]
    public async Task Every_name_port_and_key_that_is_referred_to_exists(string kustomization)
    {
        var built = await BuiltManifests.OfAsync(kustomization);
        var secret = BuiltManifests.Parse(await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "k8s/base/secret.example.yaml")))[0];
        var secretName = (string?)secret["metadata"]!["name"];
        var keys = secret["stringData"]!.AsObject().Select(key => key.Key).ToHashSet();
        var configMaps = built.OfKind("ConfigMap").ToDictionary(map => (string)map["metadata"]!["name"]!, map => map["data"]!.AsObject().Select(key => key.Key).ToHashSet());
        var claims = built.OfKind("PersistentVolumeClaim").Select(claim => (string?)claim["metadata"]!["name"]).ToHashSet();
        foreach (var set in built.OfKind("StatefulSet"))
        {
            var pod = set["spec"]!["template"]!["spec"]!;
            built.OfKind("ServiceAccount").ShouldContain(account => (string?)account["metadata"]!["name"] == (string?)pod["serviceAccountName"]);
            built.OfKind("Service").ShouldContain(service => (string?)service["metadata"]!["name"] == (string?)set["spec"]!["serviceName"]);
            var volumes = BuiltManifests.Each(pod["volumes"]).ToList();
            foreach (var volume in volumes)
            {
                if (volume["configMap"] is { } map)
                {
                    configMaps.Keys.ShouldContain((string)map["name"]!);
                }

                (volume["secret"] is { } mounted ? (string?)mounted["secretName"] : secretName).ShouldBe(secretName);
                if (volume["persistentVolumeClaim"] is { } claim)
                {
                    claims.ShouldContain((string?)claim["claimName"]);
                }
            }

            var mountable = volumes.Concat(BuiltManifests.Each(set["spec"]!["volumeClaimTemplates"]).Select(claim => claim["metadata"]!)).Select(volume => (string?)volume["name"]).ToHashSet();
            var ports = BuiltManifests.Containers(pod).SelectMany(container => BuiltManifests.Each(container["ports"])).Select(port => (string?)port["name"]).ToHashSet();
            foreach (var container in BuiltManifests.Containers(pod))
            {
                BuiltManifests.Each(container["volumeMounts"]).Select(mount => (string?)mount["name"]).ShouldBeSubsetOf(mountable);
                foreach (var reference in BuiltManifests.Each(container["env"]).Select(variable => variable["valueFrom"]?["secretKeyRef"]).OfType<JsonNode>())
                {
                    ((string?)reference["name"]).ShouldBe(secretName);
                    keys.ShouldContain((string)reference["key"]!);
                }

                foreach (var probe in new[] { "startupProbe", "livenessProbe", "readinessProbe" }.Select(name => container[name]?["httpGet"] ?? container[name]?["tcpSocket"]).OfType<JsonNode>())
                {
                    ports.ShouldContain((string?)probe["port"]);
                }

                foreach (Match path in SecretPath().Matches(container.ToJsonString()))
                {
                    keys.ShouldContain(path.Groups[1].Value);
                }

                foreach (Match path in ConfigurationPath().Matches(container.ToJsonString()))
                {
                    configMaps.ShouldContain(map => map.Key.StartsWith("nlds-backup-", StringComparison.Ordinal) && map.Value.Contains(path.Groups[1].Value));
                }
            }
        }

        foreach (var service in built.OfKind("Service"))
        {
            var target = Selected(built, service["spec"]!["selector"]!).ShouldHaveSingleItem()["spec"]!["template"]!["spec"]!;
            var ports = BuiltManifests.Containers(target).SelectMany(container => BuiltManifests.Each(container["ports"])).Select(port => (string?)port["name"]);
            BuiltManifests.Each(service["spec"]!["ports"]).Select(port => (string?)port["targetPort"]).ShouldBeSubsetOf(ports);
        }

        var monitor = built.OfKind("PodMonitor").ShouldHaveSingleItem();
        Selected(built, monitor["spec"]!["selector"]!["matchLabels"]!).Count().ShouldBe(2);
        foreach (var pod in built.Pods)
        {
            BuiltManifests.Containers(pod).SelectMany(container => BuiltManifests.Each(container["ports"])).Select(port => (string?)port["name"])
                .ShouldContain((string?)monitor["spec"]!["podMetricsEndpoints"]![0]!["port"]);
        }

        foreach (var budget in built.OfKind("PodDisruptionBudget"))
        {
            Selected(built, budget["spec"]!["selector"]!["matchLabels"]!).ShouldHaveSingleItem();
        }
    }

    [Theory]
    [MemberData(nameof(Kustomizations))]
    public async Task The_agent_starts_before_the_server_and_nobody_has_more_rights_than_he_needs(string kustomization)
    {
        foreach (var pod in (await BuiltManifests.OfAsync(kustomization)).Pods)
        {
            ((bool)pod["securityContext"]!["runAsNonRoot"]!).ShouldBeTrue();
            ((string?)pod["securityContext"]!["seccompProfile"]!["type"]).ShouldBe("RuntimeDefault");
            pod["initContainers"]![0]!["args"]!.ToJsonString().ShouldContain("--if-empty", customMessage: "An empty volume is filled before anything else.");
            pod["initContainers"]![0]!["env"]!.ToJsonString().ShouldBe(pod["initContainers"]![1]!["env"]!.ToJsonString());
            var agent = pod["initContainers"]![1]!;
            ((string?)agent["restartPolicy"]).ShouldBe("Always");
            ((string?)agent["name"]).ShouldBe("nlds-backup");
            foreach (var container in BuiltManifests.Containers(pod))
            {
                var rights = container["securityContext"]!;
                ((bool)rights["readOnlyRootFilesystem"]!).ShouldBeTrue();
                ((bool)rights["allowPrivilegeEscalation"]!).ShouldBeFalse();
                rights["capabilities"]!.ToJsonString().ShouldBe("{\"drop\":[\"ALL\"]}");
                ((string?)container["resources"]!["limits"]!["memory"]).ShouldNotBeNullOrEmpty();
                var image = (string)container["image"]!;
                image.ShouldContain(":");
                image.ShouldNotContain("alpine", Case.Insensitive, "The agent's C library is glibc; an index restored across two libraries is corrupt.");
                image.ShouldNotEndWith(":latest");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kustomizations))]
    public async Task The_agent_understands_the_settings_of_every_pod(string kustomization)
    {
        var built = await BuiltManifests.OfAsync(kustomization);
        var settings = built.OfKind("ConfigMap").Single(map => map["data"]!["appsettings.json"] is not null)["data"]!["appsettings.json"]!.ToString();
        foreach (var pod in built.Pods)
        {
            await RequireUnderstoodAsync(settings, pod["initContainers"]![1]!);
        }
    }

    /// <summary>It stands beside the kustomizations, and is applied by hand.</summary>
    [Fact]
    public async Task The_drills_job_asks_the_copies_of_the_shipped_servers_with_the_rights_of_its_own_account()
    {
        var pod = BuiltManifests.Parse(await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "k8s/base/drill.yaml"))).ShouldHaveSingleItem()["spec"]!["jobTemplate"]!["spec"]!["template"]!["spec"]!;
        var drill = pod["containers"]!.AsArray().ShouldHaveSingleItem()!;
        var rights = BuiltManifests.Parse(await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "k8s/base/rbac-drill.yaml")));
        var services = (await BuiltManifests.OfAsync("base")).OfKind("Service").Select(service => $"{service["metadata"]!["name"]}.nlds.svc");

        rights.ShouldContain(item => (string?)item["kind"] == "ServiceAccount" && (string?)item["metadata"]!["name"] == (string?)pod["serviceAccountName"]);
        BuiltManifests.Each(drill["env"]).Where(variable => ((string)variable["name"]!).EndsWith("__Host", StringComparison.Ordinal)).Select(variable => (string?)variable["value"]).ShouldBe(services, ignoreOrder: true);
        drill["args"]!.ToJsonString().ShouldContain("\"drill\",\"--mode\",\"kubernetes\"");
        ((bool)drill["securityContext"]!["readOnlyRootFilesystem"]!).ShouldBeTrue();
        await RequireUnderstoodAsync(await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "k8s/base/appsettings.json")), drill);
    }

    private static async Task RequireUnderstoodAsync(string settings, JsonNode container)
    {
        // Files that only the pod has are stood in for by a file of the test's.
        using var directory = new TemporaryDirectory();
        await File.WriteAllTextAsync(directory["secret"], Convert.ToBase64String(new byte[32]));
        await File.WriteAllTextAsync(directory["appsettings.json"], SecretPath().Replace(settings, directory["secret"]));
        var environment = BuiltManifests.Each(container["env"]).Where(variable => variable["value"] is not null)
            .Select(variable => $"{variable["name"]}={SecretPath().Replace(variable["value"]!.ToString(), directory["secret"])}");

        // Nobody listens, which is exit code 1; faults of the settings would be 2.
        var failure = await Should.ThrowAsync<InvalidOperationException>(() => ServerProcess.RunAsync(
            "env",
            ["-i", $"HOME={directory.Path}", "Agent__Urls=http://127.0.0.1:1", .. environment, Path.Combine(AppContext.BaseDirectory, "NLDS.BackupAgent"), "status", "--config", directory["appsettings.json"]],
            TestContext.Current.CancellationToken));
        failure.Message.ShouldContain("ended with 1:");
    }

    [Theory]
    [MemberData(nameof(Kustomizations))]
    public async Task An_agent_may_reach_every_service_that_its_settings_name(string kustomization)
    {
        var built = await BuiltManifests.OfAsync(kustomization);
        foreach (var set in built.OfKind("StatefulSet"))
        {
            var policies = built.OfKind("NetworkPolicy").Where(policy => Selected(built, policy["spec"]!["podSelector"]!["matchLabels"]!).Contains(set));
            var ways = policies.SelectMany(policy => BuiltManifests.Each(policy["spec"]!["egress"])).Where(rule => rule["to"] is not null).ToList();
            foreach (var variable in BuiltManifests.Each(set["spec"]!["template"]!["spec"]!["initContainers"]![1]!["env"]))
            {
                if (built.OfKind("Service").FirstOrDefault(service => (string?)service["metadata"]!["name"] == (string?)variable["value"]) is { } service)
                {
                    var target = Selected(built, service["spec"]!["selector"]!).ShouldHaveSingleItem();
                    ways.ShouldContain(
                        rule => BuiltManifests.Each(rule["to"]).Any(to => Selected(built, to["podSelector"]!["matchLabels"]!).Contains(target))
                            && BuiltManifests.Each(rule["ports"]).Any(port => (int)port["port"]! == (int)service["spec"]!["ports"]![0]!["port"]!),
                        $"{variable["name"]} of {set["metadata"]!["name"]}");
                }
            }
        }
    }

    [Theory]
    [InlineData("k8s/base/alerts.yaml")]
    [InlineData("k8s/base/dashboard.json")]
    public async Task Every_metric_that_is_named_is_in_the_readmes_table(string file)
    {
        var readme = await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "README.md"));
        foreach (var name in Metric().Matches(await File.ReadAllTextAsync(Path.Combine(Checkout.Root, file))).Select(match => match.Value.Replace("_seconds_bucket", "_seconds", StringComparison.Ordinal)).Distinct())
        {
            readme.ShouldContain($"`{name}`");
        }
    }

    [Fact]
    public async Task Only_the_monitors_relabelling_makes_the_strategys_text_true()
    {
        var monitor = (await BuiltManifests.OfAsync("base")).OfKind("PodMonitor").Single();

        monitor["spec"]!["podMetricsEndpoints"]![0]!["metricRelabelings"]!.ToJsonString().ShouldBe("""[{"regex":"(.\u002B)","sourceLabels":["backup_job"],"targetLabel":"job"}]""");
    }

    private static IEnumerable<string> Folders(string of) =>
        Directory.GetDirectories(Path.Combine(Checkout.Root, "k8s", of)).Select(path => $"{of}/{Path.GetFileName(path)}").Order(StringComparer.Ordinal);

    private static IEnumerable<JsonNode> Selected(BuiltManifests built, JsonNode labels) => built.OfKind("StatefulSet").Where(set =>
        labels.AsObject().All(label => (string?)set["spec"]!["template"]!["metadata"]!["labels"]![label.Key] == (string?)label.Value));

    [GeneratedRegex("/etc/nlds/secret/([a-z-]+)")]
    private static partial Regex SecretPath();

    [GeneratedRegex("/etc/nlds/config/([a-z.]+)")]
    private static partial Regex ConfigurationPath();

    [GeneratedRegex(@"\b(backup_(?!job\b)|dr_drill_)[a-z_]+\b")]
    private static partial Regex Metric();
}
