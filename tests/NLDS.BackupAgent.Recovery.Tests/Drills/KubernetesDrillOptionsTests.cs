using System.ComponentModel.DataAnnotations;
using NLDS.BackupAgent.Recovery.Drills;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Tests.Drills;

public sealed class KubernetesDrillOptionsTests
{
    [Theory]
    [InlineData("postgres-service", "postgres-service.nlds-dr-test.svc")]
    [InlineData("postgres-service.nlds.svc", "postgres-service.nlds-dr-test.svc")]
    [InlineData("postgres-service.nlds.svc.cluster.local", "postgres-service.nlds-dr-test.svc.cluster.local")]
    public void A_copy_answers_where_the_service_would_be(string original, string copy) =>
        new KubernetesDrillOptions().PlaceOf("postgres", new ServerPlace(original, 5432)).ShouldBe(new ServerPlace(copy, 5432));

    [Theory]
    [InlineData("10.0.0.5")]
    [InlineData("::1")]
    [InlineData("localhost")]
    [InlineData("/var/run/postgresql")]
    [InlineData("db.example.net")]
    public void Where_another_servers_copy_answers_has_to_be_said(string original) =>
        Should.Throw<UsageException>(() => new KubernetesDrillOptions().PlaceOf("postgres", new ServerPlace(original, 5432))).Message.ShouldContain("Drill:Kubernetes:Servers:postgres");

    [Theory]
    [InlineData("copy.example.net", "copy.example.net", 5432)]
    [InlineData("10.0.0.9:6000", "10.0.0.9", 6000)]
    public void What_is_said_counts(string said, string host, int port) =>
        new KubernetesDrillOptions { Servers = { ["postgres"] = said } }.PlaceOf("postgres", new ServerPlace("10.0.0.5", 5432)).ShouldBe(new ServerPlace(host, port));

    [Fact]
    public void The_original_is_no_copy()
    {
        var original = new ServerPlace("postgres.nlds-dr-test.svc", 5432);

        Should.Throw<UsageException>(() => new KubernetesDrillOptions().PlaceOf("postgres", original)).Message.ShouldContain("is the original");
    }

    [Fact]
    public void Every_fault_is_told()
    {
        var options = new KubernetesDrillOptions
        {
            Namespace = "kube-system",
            DnsNamespace = "Not a name",
            StoreNetworks = ["somewhere"],
            StorePorts = [0],
            Servers = { ["postgres"] = "host:port" },
            Urls = ["http://user:secret@nlds-api/health"],
            CleanUpTime = TimeSpan.Zero,
        };

        var faults = Faults(options);

        faults.Select(fault => fault.Split(' ')[0]).ShouldBe(
        [
            "Drill:Kubernetes:DnsNamespace", "Drill:Kubernetes:Namespace", "Drill:Kubernetes:StoreNetworks", "Drill:Kubernetes:StorePorts", "Drill:Kubernetes:Servers:postgres",
            "Drill:Kubernetes:Urls", "Drill:Kubernetes:CleanUpTime",
        ]);
        faults.ShouldAllBe(fault => !fault.Contains("secret", StringComparison.Ordinal));
        Faults(new KubernetesDrillOptions()).ShouldBeEmpty();
    }

    [Fact]
    public void A_random_moment_is_for_this_machine_only() =>
        Faults(new DrillOptions { Mode = DrillMode.Kubernetes, Moment = DrilledMoment.Random }).ShouldHaveSingleItem().ShouldContain("Leave Drill:Backup and Drill:Moment out");

    private static List<string> Faults(IValidatableObject options) => [.. options.Validate(new ValidationContext(options)).Select(fault => fault.ErrorMessage!)];
}
