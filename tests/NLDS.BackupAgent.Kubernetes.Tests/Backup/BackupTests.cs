using System.Text.Json.Nodes;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing.Kubernetes;
using YamlDotNet.RepresentationModel;

namespace NLDS.BackupAgent.Kubernetes.Tests.Backup;

public sealed class BackupTests
{
    [Fact]
    public async Task Everything_that_was_declared_is_in_the_backup_and_nothing_that_is_made_again()
    {
        await using var cluster = await TestCluster.StartAsync();

        var backup = await cluster.TakeAsync();

        var paths = (await cluster.ReadArchiveAsync(backup)).Keys;
        var declared = Declared.Of(cluster.Server, "nlds").Keys.Select(k => $"raw/{k}.json").ToList();
        paths.ShouldBe(declared.Append("raw/serviceaccounts/default.json").Concat(Cluster()), ignoreOrder: true);
        backup.Omissions.ShouldBeEmpty();
        backup.Manifest.Objects.Single().Key.ShouldBe($"kubernetes/kubernetes_backup_{backup.Id}.tar.gz.enc");

        static IEnumerable<string> Cluster() =>
        [
            "raw/cluster/namespaces/nlds.json",
            "raw/cluster/persistentvolumes/nlds-archive-pv.json",
            "raw/cluster/persistentvolumes/nlds-postgres-pv-0.json",
            "raw/cluster/storageclasses.storage.k8s.io/nlds-local.json",
            "raw/cluster/priorityclasses.scheduling.k8s.io/nlds-critical.json",
            "raw/cluster/ingressclasses.networking.k8s.io/nginx.json",
            "raw/cluster/clusterissuers.cert-manager.io/selfsigned.json",
            "raw/cluster/clusterroles.rbac.authorization.k8s.io/nlds-backup-reader.json",
            "raw/cluster/clusterrolebindings.rbac.authorization.k8s.io/nlds-backup-reader.json",
            "raw/cluster/customresourcedefinitions.apiextensions.k8s.io/certificates.cert-manager.io.json",
            "raw/cluster/customresourcedefinitions.apiextensions.k8s.io/issuers.cert-manager.io.json",
            "raw/cluster/customresourcedefinitions.apiextensions.k8s.io/clusterissuers.cert-manager.io.json",
            "raw/cluster/customresourcedefinitions.apiextensions.k8s.io/tapejobs.nlds.example.org.json",
        ];
    }

    [Fact]
    public async Task Without_a_key_Secrets_are_left_out_and_the_backup_says_so()
    {
        await using var cluster = await TestCluster.StartAsync(keys: null);

        var backup = await cluster.TakeAsync();

        (await cluster.ReadArchiveAsync(backup)).Keys.ShouldNotContain(path => path.StartsWith("raw/secrets", StringComparison.Ordinal));
        backup.Omissions.ShouldHaveSingleItem().ShouldContain("Secrets were left out");
        cluster.Server.Calls.ShouldNotContain(call => call.Path.Contains("/secrets", StringComparison.Ordinal));
        backup.Manifest.Objects.Single().Key.ShouldBe($"kubernetes/kubernetes_backup_{backup.Id}.tar.gz");
    }

    [Fact]
    public async Task Without_a_key_Secrets_are_stored_when_the_configuration_says_so_in_so_many_words()
    {
        await using var cluster = await TestCluster.StartAsync(keys: null, configure: options => options.StoreSecretsUnencrypted = true);

        var backup = await cluster.TakeAsync();

        backup.Omissions.ShouldBeEmpty();
        (await cluster.ReadArchiveAsync(backup)).Keys.ShouldContain("raw/secrets/postgres-credentials.json");
    }

    [Fact]
    public async Task Whether_the_server_can_be_reached_is_one_small_question()
    {
        await using var cluster = await TestCluster.StartAsync(loads: false);
        await cluster.Source.ReachAsync(CancellationToken.None);
        cluster.Server.Calls.ShouldHaveSingleItem().Path.ShouldBe("/version");

        cluster.Connect(token: "of nobody");
        (await Should.ThrowAsync<SourceException>(() => cluster.Source.ReachAsync(CancellationToken.None))).Message.ShouldContain(cluster.Server.Url.Authority);
    }

    [Fact]
    public async Task An_unchanged_namespace_costs_no_new_archive()
    {
        await using var cluster = await TestCluster.StartAsync();
        var first = await cluster.TakeAsync();
        cluster.Server.Change("deployments.apps", "nlds", "nlds-api", value => value["status"]!["replicas"] = 7);

        var second = await cluster.TakeAsync();

        second.Id.ShouldBe(first.Id);
        second.UnchangedAt.ShouldNotBeNull();
        (await cluster.Source.ListAsync(CancellationToken.None)).Backups.ShouldHaveSingleItem().UnchangedAt.ShouldNotBeNull();
    }

    [Fact]
    public async Task Another_process_finds_the_namespace_unchanged_too()
    {
        await using var cluster = await TestCluster.StartAsync();
        var first = await cluster.TakeAsync();
        cluster.Connect();

        (await cluster.TakeAsync()).Id.ShouldBe(first.Id);
    }

    [Fact]
    public async Task A_changed_value_makes_a_new_archive()
    {
        await using var cluster = await TestCluster.StartAsync();
        var first = await cluster.TakeAsync();
        cluster.Server.Change("configmaps", "nlds", "nlds-api-config", value => value["data"]!["new"] = "1");

        (await cluster.TakeAsync()).Id.ShouldNotBe(first.Id);
    }

    [Fact]
    public async Task What_may_not_be_read_is_named_and_the_rest_is_stored()
    {
        await using var cluster = await TestCluster.StartAsync(token: "partial");
        cluster.Server.AddUser("partial", new ApiUser("nlds-backup", "u-backup", ["nlds:backup", "system:authenticated"]));

        var backup = await cluster.TakeAsync();

        backup.Omissions.ShouldContain(o => o.Contains("User \"nlds-backup\" cannot list resource \"secrets\"", StringComparison.Ordinal) && o.Contains("rbac-backup.yaml", StringComparison.Ordinal));
        (await cluster.ReadArchiveAsync(backup)).Keys.ShouldContain("raw/configmaps/nlds-api-config.json");
        (await cluster.VerifyAsync()).Damage.ShouldBeEmpty();
    }

    [Fact]
    public async Task Who_may_read_nothing_gets_no_backup()
    {
        await using var cluster = await TestCluster.StartAsync(token: "nobody");
        cluster.Server.AddUser("nobody", new ApiUser("nobody", null, ["system:authenticated"]));

        (await Should.ThrowAsync<SourceException>(cluster.TakeAsync)).Message.ShouldContain("Nothing of the namespace 'nlds' may be read");
        (await cluster.Source.ListAsync(CancellationToken.None)).Backups.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_namespace_that_does_not_exist_is_not_an_empty_backup()
    {
        await using var cluster = await TestCluster.StartAsync(configure: options => options.Namespace = "no-such-namespace");

        (await Should.ThrowAsync<SourceException>(cluster.TakeAsync)).Message.ShouldContain("There is no namespace 'no-such-namespace'");
    }

    [Fact]
    public async Task A_group_whose_server_is_down_neither_fails_nor_shrinks_the_backup_unseen()
    {
        await using var cluster = await TestCluster.StartAsync();
        cluster.Server.MakeStale("cert-manager.io");

        var backup = await cluster.TakeAsync();

        backup.Omissions.ShouldContain(o => o.Contains("cert-manager.io/v1", StringComparison.Ordinal));
        (await cluster.ReadArchiveAsync(backup)).Keys.ShouldContain("raw/deployments.apps/nlds-api.json");
    }

    [Fact]
    public async Task Servers_of_before_aggregated_discovery_give_the_same_backup()
    {
        await using var cluster = await TestCluster.StartAsync();
        var first = await cluster.ReadArchiveAsync(await cluster.TakeAsync());
        cluster.Server.AggregatesDiscovery = false;
        cluster.Server.Change("configmaps", "nlds", "nlds-api-config", value => value["data"]!["new"] = "1");

        (await cluster.ReadArchiveAsync(await cluster.TakeAsync())).Keys.ShouldBe(first.Keys, ignoreOrder: true);
    }

    [Fact]
    public async Task A_list_that_expires_is_begun_anew()
    {
        await using var cluster = await TestCluster.StartAsync(configure: options => options.Include = ["configmaps"]);
        for (var i = 0; i < 200; i++)
        {
            cluster.Server.Seed([Map($"many-{i:D3}", "x")]);
        }

        var expired = 0;
        cluster.Server.Fault = request =>
        {
            if (request.Query.ContainsKey("continue") && expired++ == 0)
            {
                cluster.Server.Compact();
            }

            return null;
        };

        var backup = await cluster.TakeAsync();

        cluster.Server.Calls.ShouldContain(call => call.Status == 410);
        (await cluster.ReadArchiveAsync(backup)).Keys.Count(k => k.Contains("/many-", StringComparison.Ordinal)).ShouldBe(200);
    }

    [Fact]
    public async Task A_long_list_that_expires_again_and_again_is_told_as_not_of_one_moment()
    {
        await using var cluster = await TestCluster.StartAsync(configure: options => options.Include = ["configmaps"]);
        for (var i = 0; i < 120; i++)
        {
            cluster.Server.Seed([Map($"large-{i:D3}", new string('x', 100_000))]);
        }

        cluster.Server.Fault = request =>
        {
            if (request.Query.ContainsKey("continue"))
            {
                cluster.Server.Compact();
            }

            return null;
        };

        var backup = await cluster.TakeAsync();

        var index = await cluster.Archives.ReadIndexAsync(KubernetesCatalog.Read(backup), CancellationToken.None);
        index.Objects.Count(o => o.Name.StartsWith("large-", StringComparison.Ordinal)).ShouldBe(120);
        index.Kinds.Single(k => k.Plural == "configmaps").IsConsistent.ShouldBeFalse();
    }

    [Fact]
    public async Task A_server_that_is_busy_is_asked_again()
    {
        await using var cluster = await TestCluster.StartAsync();
        var refused = 0;
        cluster.Server.Fault = request => request.Path.Value!.EndsWith("/services", StringComparison.Ordinal) && refused++ < 2 ? new ApiFault(429, "TooManyRequests", "busy") : null;

        (await cluster.TakeAsync()).Omissions.ShouldBeEmpty();
        refused.ShouldBe(3);
    }

    [Fact]
    public async Task The_archive_opens_by_hand_and_its_files_are_YAML_that_can_be_applied()
    {
        await using var cluster = await TestCluster.StartAsync(keys: null, configure: options => options.StoreSecretsUnencrypted = true);
        var backup = await cluster.TakeAsync();
        using var directory = new Testing.TemporaryDirectory();
        await using (var stored = await cluster.Store.OpenReadAsync(new Storage.ObjectKey(backup.Manifest.Objects.Single().Key), 0, null, CancellationToken.None))
        await using (var file = File.Create(directory["backup.tar.gz"]))
        {
            await stored.CopyToAsync(file);
        }

        await Testing.HandTools.RunAsync(directory.Path, "tar -xzf backup.tar.gz");

        Directory.GetFiles(directory["nlds"]).Select(Path.GetFileName).ShouldBe(
            ["index.json", "nlds-certs.yaml", "nlds-cluster.yaml", "nlds-network.yaml", "nlds-pv.yaml", "nlds-rbac.yaml", "nlds-resources.yaml"], ignoreOrder: true);
        foreach (var path in Directory.GetFiles(directory["nlds"], "*.yaml", SearchOption.AllDirectories))
        {
            using var reader = new StreamReader(path);
            var yaml = new YamlStream();
            yaml.Load(reader);
            yaml.Documents.Count.ShouldBeGreaterThan(0, path);
            foreach (var document in yaml.Documents)
            {
                var metadata = (YamlMappingNode)document.RootNode["metadata"];
                metadata.Children.Keys.Select(k => k.ToString()).ShouldNotContain(k => k == "resourceVersion" || k == "uid" || k == "managedFields", path);
            }
        }
    }

    private static JsonObject Map(string name, string text) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "ConfigMap",
        ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = "nlds", ["uid"] = $"uid-{name}", ["resourceVersion"] = "1" },
        ["data"] = new JsonObject { ["text"] = text },
    };
}
