using System.Reflection;

namespace NLDS.BackupAgent.Tests.Architecture;

/// <summary>What each assembly shows to the others.</summary>
public sealed class DoorTests
{
    private const BindingFlags Methods = BindingFlags.Public | BindingFlags.Static | BindingFlags.DeclaredOnly;

    [Fact]
    public void The_host_shows_nothing() => typeof(Surroundings).Assembly.GetExportedTypes().ShouldBeEmpty();

    /// <summary>A source is one class with its <c>Add…</c> method, and its options. The cluster, and the scratch namespaces in it, are besides what recoveries and drills work with.</summary>
    [Theory]
    [InlineData("NLDS.BackupAgent.Postgres")]
    [InlineData("NLDS.BackupAgent.Redis")]
    [InlineData("NLDS.BackupAgent.Kubernetes")]
    [InlineData("NLDS.BackupAgent.ApplicationData")]
    public void A_source_has_one_door(string assembly)
    {
        var doors = Assembly.Load(assembly).GetExportedTypes().Where(type => !IsOptions(type) && !type.IsEnum && !IsCluster(type)).ToList();

        doors.Count.ShouldBeLessThanOrEqualTo(1, string.Join(", ", doors));
        foreach (var door in doors)
        {
            (door.IsAbstract && door.IsSealed).ShouldBeTrue($"{door} is not a static class");
            door.GetMethods(Methods).Where(method => !method.IsSpecialName).ShouldAllBe(method => method.Name.StartsWith("Add", StringComparison.Ordinal));
        }
    }

    private static bool IsCluster(Type type) => (type.DeclaringType ?? type).Name is "KubernetesCluster" or "ScratchNamespaces" or "ScratchNamespace" or "Leftovers";

    private static bool IsOptions(Type type) => type.Name.EndsWith("Options", StringComparison.Ordinal) || (type.DeclaringType is { } outer && IsOptions(outer));
}
