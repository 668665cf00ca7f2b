using System.Globalization;
using NLDS.BackupAgent.Recovery.Runbooks;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Scenarios;

/// <summary>What must hold before a recovery is one: sound data, the right answers, a service that answers.</summary>
internal sealed class ServiceChecks(RecoveryOptions options, TimeProvider clock, HttpProbe http)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private RecoveryOptions.CheckOptions Checks => options.Checks;

    /// <summary>Wrong answers stop the recovery before anybody uses the data.</summary>
    public RunbookStep Data(IReadOnlyList<IServerSource> sources) => new()
    {
        Name = "check the data",
        What = $"prove {string.Join(" and ", sources.Select(source => source.Name))}, and ask {Count(Asked(sources).Count(), "question")} of Recovery:Checks:Questions",
        Estimate = TimeSpan.FromSeconds(10),
        Timeout = options.Timeouts.Check + Checks.ProofTime,
        TimeoutKey = "Recovery:Timeouts:Check",
        Do = async (scope, token) =>
        {
            List<string> wrong = [];
            var proven = 0;
            foreach (var source in sources)
            {
                foreach (var proof in await ProveAsync(source, scope, token))
                {
                    scope.Say($"    {source.Name}, {proof.What}: {proof.Words}");
                    proven += proof.Verdict == ProofVerdict.Proven ? 1 : 0;
                    if (proof.Verdict == ProofVerdict.Failed)
                    {
                        wrong.Add($"{source.Name}, {proof.What}: {proof.Words}");
                    }
                }
            }

            foreach (var (question, source) in Asked(sources))
            {
                var answer = await source.AskServerAsync(question.Question, token);
                scope.Say($"    {question.Name}: {answer}");
                if (question.AtLeast is { } least && !(double.TryParse(answer, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= least))
                {
                    wrong.Add(string.Create(CultureInfo.InvariantCulture, $"{question.Name} ({question.Question}) is {answer}, where at least {least} is asked."));
                }
            }

            return wrong.Count > 0
                ? throw new NotRestorableException($"The data are not what they should be. {string.Join(" ", wrong)} The applications were not started.")
                : $"{Count(proven, "proof")} and {Count(Asked(sources).Count(), "answer")} are as they should be.";
        },
    };

    /// <returns>Null where no address is configured.</returns>
    public RunbookStep? Service() => Checks.Urls.Count == 0 ? null : new RunbookStep
    {
        Name = "ask the service",
        What = $"wait until {string.Join(", ", Checks.Urls)} {(Checks.Urls.Count == 1 ? "answers" : "answer")} with success",
        Estimate = TimeSpan.FromSeconds(5),
        Timeout = options.Timeouts.Check,
        TimeoutKey = "Recovery:Timeouts:Check",
        Do = async (scope, token) =>
        {
            var last = "";
            foreach (var url in Checks.Urls)
            {
                while (await http.AskAsync(new Uri(url), token) is { } words)
                {
                    if (words != last)
                    {
                        scope.Say($"    {url} {last = words}");
                    }

                    await Task.Delay(Pause, clock, token);
                }
            }

            return $"{Count(Checks.Urls.Count, "address", "addresses")} answered with success.";
        },
    };

    private async Task<IReadOnlyList<RehearsalProof>> ProveAsync(IServerSource source, RunScope scope, CancellationToken cancellationToken)
    {
        try
        {
            return await source.ProveServerAsync(Checks.ProofTime, cancellationToken);
        }
        catch (SourceException unknown)
        {
            scope.Find($"{source.Name} was not looked at: {unknown.Message}");
            return [];
        }
    }

    private IEnumerable<(QuestionOptions Question, IServerSource Source)> Asked(IReadOnlyList<IServerSource> sources) =>
        Checks.Questions.Select(question => (question, Source: sources.FirstOrDefault(source => source.Name == question.Source))).Where(asked => asked.Source is not null)!;

    private static string Count(int number, string one, string? many = null) => $"{number.ToString(CultureInfo.InvariantCulture)} {(number == 1 ? one : many ?? one + "s")}";
}
