using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Commands;

/// <summary><c>verify</c> in a repository that holds one of two sources.</summary>
public sealed class VerifyVerbTests : IDisposable
{
    private readonly AgentUnderTest agent = new();
    private readonly MemoryObjectStore store = new();
    private readonly FakeSource redis = new("redis");

    public VerifyVerbTests()
    {
        agent.Source.Broken = new NotRestorableException("The repository in memory holds nothing of PostgreSQL.");
        agent.Features.AddSource<FakeOptions>("Redis", "redis", (services, _) => services.AddSingleton<ISnapshotSource>(redis), [], new([]));
        agent.Features.Add<RepositoryOptions>("Repository", (services, configuration) =>
        {
            services.AddSingleton<IObjectStore>(store);
            services.AddRepository(configuration);
        });
    }

    public void Dispose() => agent.Dispose();

    [Fact]
    public async Task Without_a_source_it_reads_those_that_are_stored_here()
    {
        await PutAsync("redis/redis_backup_20261123_020000.rdb.zst");
        await PutAsync("postgres/lease/0000000000000001.json");

        var answer = await agent.RunAsync("verify");

        answer.Exit.ShouldBe(0, answer.Error);
        answer.Out.ShouldContain("✔ redis");
        answer.Out.ShouldNotContain("postgres");
        redis.Verifications.ShouldBe(1);
    }

    [Fact]
    public async Task Application_data_whose_backups_lie_in_a_folder_of_another_name_are_read_too()
    {
        using var directory = new TemporaryDirectory();
        var program = new WholeProgram(directory.Path);
        program.ProtectNamespace(directory["kubeconfig"]);
        var options = new StorageOptions { Provider = StorageProvider.Directory };
        options.Directory.Path = directory["store"];
        var there = ObjectStores.Open(options, NullLoggerFactory.Instance, null, TimeProvider.System);
        await new BackupRepository(there, new RepositoryOptions(), TimeProvider.System).PrepareAsync(TestContext.Current.CancellationToken);
        await there.PutIfAbsentAsync(new ObjectKey("nlds/application_data/nlds_data_backup_20261123_020000.tar.gz"), "x"u8.ToArray(), TestContext.Current.CancellationToken);

        (await program.RunAsync("verify")).ShouldBe(0, program.Error);

        program.Output.ShouldContain("✔ application-data");
    }

    [Fact]
    public async Task A_source_that_was_named_is_read_whether_or_not_anything_of_it_is_stored()
    {
        await PutAsync("redis/redis_backup_20261123_020000.rdb.zst");

        var answer = await agent.RunAsync("verify", "postgres");

        answer.Exit.ShouldBe(3);
        answer.Error.ShouldContain("holds nothing of PostgreSQL");
    }

    [Fact]
    public async Task Where_nothing_of_any_source_is_stored_it_says_so()
    {
        var answer = await agent.RunAsync("verify");

        answer.Exit.ShouldBe(3);
        answer.Error.ShouldContain("holds nothing of PostgreSQL");
    }

    private Task<bool> PutAsync(string key) => store.PutIfAbsentAsync(new ObjectKey(key), "x"u8.ToArray(), TestContext.Current.CancellationToken);
}
