using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Runbooks;

/// <summary>Does one step of a runbook within its time, and proves it.</summary>
/// <param name="clock">For the time-outs.</param>
/// <param name="advice">What whoever reads of a failure does next.</param>
internal sealed class StepRunner(TimeProvider clock, string advice)
{
    /// <summary>A proof behind a step looks at what the step itself has waited for.</summary>
    private static readonly TimeSpan ProofTime = TimeSpan.FromMinutes(1);

    /// <summary>What the states and last words of pods may take when something has failed already.</summary>
    private static readonly TimeSpan DiagnosisTime = TimeSpan.FromSeconds(30);

    /// <param name="step">What to do.</param>
    /// <param name="scope">What it knows.</param>
    /// <param name="mayBeThere">Another process may have done it: it is looked first.</param>
    /// <param name="cancellationToken">Breaks it off.</param>
    /// <exception cref="SourceException">It failed.</exception>
    /// <exception cref="NotRestorableException">The data are not what they should be.</exception>
    public async Task<(string Words, bool WasThere)> DoAsync(RunbookStep step, RunScope scope, bool mayBeThere, CancellationToken cancellationToken)
    {
        if (mayBeThere && step.Prove is not null && await step.Prove(scope, cancellationToken) is { } there)
        {
            return (there, true);
        }

        var words = await WithinAsync(step, step.Name, scope, token => step.Do(scope, token), cancellationToken);
        if (step.Prove is not null)
        {
            using var limit = new CancellationTokenSource(ProofTime, clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            if (await step.Prove(scope, either.Token) is null)
            {
                throw new SourceException($"'{step.Name}' was done, and its effect is not there: somebody or something else works against it. {advice}", isPermanent: false);
            }
        }

        return (words, false);
    }

    public Task<string> UndoAsync(RunbookStep step, RunScope scope, CancellationToken cancellationToken) =>
        WithinAsync(step, "taking back", scope, token => step.Undo!(scope, token), cancellationToken);

    private async Task<string> WithinAsync(RunbookStep step, string doing, RunScope scope, Func<CancellationToken, Task<string>> work, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(step.Timeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await work(either.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            await DiagnoseAsync(step, scope, cancellationToken);
            throw new SourceException($"'{doing}' took longer than {step.Timeout} ({step.TimeoutKey}). {advice}", isPermanent: false);
        }
        catch (SourceException failure)
        {
            await DiagnoseAsync(step, scope, cancellationToken);
            throw new SourceException($"'{doing}' failed: {failure.Message} {advice}", failure.IsPermanent, failure);
        }
        catch (NotRestorableException damage)
        {
            await DiagnoseAsync(step, scope, cancellationToken);
            throw new NotRestorableException($"'{doing}' failed: {damage.Message} {advice}", damage);
        }
    }

    /// <summary>What cannot be found out about a failure does not hide the failure.</summary>
    private async Task DiagnoseAsync(RunbookStep step, RunScope scope, CancellationToken cancellationToken)
    {
        if (step.Diagnose is null)
        {
            return;
        }

        using var limit = new CancellationTokenSource(DiagnosisTime, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            foreach (var line in await step.Diagnose(scope, either.Token))
            {
                scope.Say($"    {line}");
            }
        }
        catch (Exception unknown) when (unknown is SourceException || (unknown is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            scope.Say($"    More is not to be found out: {unknown.Message}");
        }
    }
}
