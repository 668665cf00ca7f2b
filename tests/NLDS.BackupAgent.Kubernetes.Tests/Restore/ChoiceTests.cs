using NLDS.BackupAgent.Kubernetes.Restore;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes.Tests.Restore;

/// <summary><c>--only</c> and <c>--except</c>: a part of a backup.</summary>
public sealed class ChoiceTests
{
    [Theory]
    [InlineData("secrets", "", "namespaces secrets")]
    [InlineData("deployments/nlds-api,services/postgres", "", "deployments.apps/nlds-api namespaces services/postgres")]
    [InlineData("deployments.apps,statefulsets.apps", "statefulsets.apps/redis", "deployments.apps namespaces statefulsets.apps/postgres")]
    public async Task Only_what_is_named_is_made_and_the_namespace_itself(string only, string except, string expected)
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();
        var whole = (KubernetesRestorePlan)await cluster.PlanAsync();

        var plan = await PlanAsync(cluster, only, except);

        // A kind stands for all that the backup has of it.
        var wanted = expected.Split(' ').SelectMany(word => whole.Items.Where(item => item.ToString() == word || item.Resource.Name == word)).Select(item => item.ToString());
        plan.Items.Select(item => item.ToString()).Order(StringComparer.Ordinal).ShouldBe(wanted.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task All_but_what_is_named_is_made()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();
        var whole = (KubernetesRestorePlan)await cluster.PlanAsync();

        var plan = await PlanAsync(cluster, "", "pods,deployments.apps,namespaces");

        plan.Items.Select(item => item.ToString()).ShouldBe(whole.Items.Where(item => item.Resource.Name is not ("pods" or "deployments.apps")).Select(item => item.ToString()));
    }

    [Theory]
    [InlineData("secrets/nobody")]
    [InlineData("teapots")]
    [InlineData("/")]
    public async Task What_the_backup_does_not_have_is_refused_before_anything_is_made(string only)
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();

        (await Should.ThrowAsync<UsageException>(() => PlanAsync(cluster, only, ""))).Message.ShouldContain(only);
    }

    private static async Task<KubernetesRestorePlan> PlanAsync(TestCluster cluster, string only, string except)
    {
        var options = new Dictionary<string, IReadOnlyList<string>>();
        foreach (var (name, words) in new[] { ("only", only), ("except", except) }.Where(option => option.Item2.Length > 0))
        {
            options[name] = [words];
        }

        return (KubernetesRestorePlan)await cluster.Source.PlanRestoreAsync(new RestoreRequest { Options = options }, CancellationToken.None);
    }
}
