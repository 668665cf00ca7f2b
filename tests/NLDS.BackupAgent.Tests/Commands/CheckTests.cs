using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Commands;

public sealed class CheckTests : IDisposable
{
    private readonly AgentUnderTest agent = new();

    public void Dispose() => agent.Dispose();

    [Theory]
    [InlineData("00:02:00", "00:00:30", "15 s in all, 15 s a try")]
    [InlineData("00:00:12", "00:00:04", "12 s in all, 4 s a try")]
    public async Task Check_waits_no_longer_for_a_store_than_a_person_does(string budget, string attempt, string expected)
    {
        agent.Environment["Storage__Directory__Path"] = agent.Working;
        agent.Environment["Storage__Retry__TotalBudget"] = budget;
        agent.Environment["Storage__Retry__AttemptTimeout"] = attempt;
        var features = new FeatureList().Add<StorageOptions>("Storage", static (services, configuration) =>
        {
            services.AddStorage(configuration);
            services.AddSingleton<IRepositoryCheck, PatienceTold>();
        });

        var errors = new StringWriter();
        var output = new StringWriter();
        (await new CommandLine(features, agent.Surroundings with { Out = output, Error = errors }).InvokeAsync(["check"], TestContext.Current.CancellationToken))
            .ShouldBe(0, errors.ToString());

        output.ToString().ShouldContain(expected);
    }

    private sealed class PatienceTold(IOptions<StorageOptions> storage) : IRepositoryCheck
    {
        public string Name => "patience";

        public async IAsyncEnumerable<CheckFinding> CheckAsync([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await Task.CompletedTask;
            var retry = storage.Value.Retry;
            yield return new CheckFinding("store", CheckVerdict.Good, $"{retry.TotalBudget.TotalSeconds} s in all, {retry.AttemptTimeout.TotalSeconds} s a try");
        }
    }
}
