namespace NLDS.BackupAgent.Storage.Resilience;

/// <summary>
/// A listing in pages, each of which may be tried again. One listing of the store is kept open over all of them, because beginning anew costs some stores the whole
/// walk: a directory of a hundred thousand files was read a hundred times. After a failure it begins behind the last page that was delivered.
/// </summary>
internal sealed class ResumingListing(IObjectStore inner, string prefix, ObjectKey? startAfter, int pageSize, CancellationToken cancellationToken) : IAsyncDisposable
{
    private IAsyncEnumerator<ObjectInfo>? open;
    private CancellationTokenSource? life;

    /// <summary>The next page; one that is not full is the last.</summary>
    /// <param name="attempt">Ends this attempt only.</param>
    public async Task<List<ObjectInfo>> NextAsync(CancellationToken attempt)
    {
        if (open is null)
        {
            life = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            open = inner.ListAsync(prefix, startAfter, life.Token).GetAsyncEnumerator(life.Token);
        }

        try
        {
            await using var ends = attempt.Register(life!.Cancel);
            List<ObjectInfo> page = [];
            while (page.Count < pageSize && await open.MoveNextAsync())
            {
                page.Add(open.Current);
            }

            startAfter = page.Count > 0 ? page[^1].Key : startAfter;
            return page;
        }
        catch
        {
            await DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (open is not null)
        {
            await open.DisposeAsync();
            life!.Dispose();
            open = null;
        }
    }
}
